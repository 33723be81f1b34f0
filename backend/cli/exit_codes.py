"""What exit codes of commands mean.

Besides these, 2 is a wrong call, as typer has it, and 128 and a signal's number an end by that signal. `provenance` has a
code for each state of a mark (docs/provenance.md).
"""

import signal

DONE = 0
"""Nothing failed."""
FAILURES = 1
"""Failures are listed; the rest is done and kept."""
BROKE_OFF = 3
"""Of `demo`: nothing was curated, as opposed to some inputs that failed."""
STOPPED = 75
"""A limit that the call set was reached (`--max-cost`): what was done is kept, and the same call with a higher one goes on.
EX_TEMPFAIL of BSD's sysexits.h, which invites to try again."""
INTERRUPTED = 128 + signal.SIGINT
