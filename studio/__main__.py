"""`python -m studio`: the same as the command `studio`."""

import sys

from studio.app import main

sys.exit(main())
