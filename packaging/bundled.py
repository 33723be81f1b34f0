"""What both programs of the bundle begin with: `studio` opens the window, `studio-backend` runs commands.

The product starts its own processes as `sys.executable -m MODULE` (the service, jobs, the decoder's child). In a bundle that is one of
these programs, so that they understand it as Python does.
"""

import multiprocessing
import re
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Runs a module or the decoders' child where one of ours asks for it, else the program that was called."""
    multiprocessing.freeze_support()  # workers that multiprocessing spawns end here
    match sys.argv[1:]:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code] if decoder := re.fullmatch(r"from backend\.media\.guard import serve; serve\((\d+)\)", code):
            from backend.media.guard import serve

            serve(int(decoder[1]))
        case _ if Path(sys.executable).name == "studio":
            from studio.app import main as studio

            sys.exit(studio())
        case _:
            from backend.cli import main as backend

            backend()


main()
