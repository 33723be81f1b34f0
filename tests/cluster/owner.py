"""An owner of a toy project as a process of its own, to be killed: `python owner.py FOLDER ADDRESS`."""

import sys
from pathlib import Path

from backend.engine.ray_crew import Ray, RaySettings
from tests.cluster.counted import Toy, plan


def main(folder: Path, address: str) -> None:
    def tell(stage: str, done: int, total: int) -> None:
        sys.stdout.write(f"{stage} {done}\n")
        sys.stdout.flush()

    toy = Toy(folder / "toy", plan(folder / "log", seconds=0.3))
    toy.run(lambda settings: Ray(settings, ray=RaySettings(address=address)), progress=tell)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
