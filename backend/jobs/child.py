"""`python -m backend.jobs.child OWNER COMMAND...` becomes `studio-backend COMMAND...`, which is asked to stop when its owner ends."""

import os
import signal
import sys

from backend.engine.children import end_with

if __name__ == "__main__":
    end_with(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, "-m", "backend.cli", *sys.argv[2:]])
