"""Long work that a project's owner does in the background, named here: `kind: "module:function"`.

A job is called with a `JobTicket` and its own keyword arguments, and gives one line saying what it did.
"""

JOBS: dict[str, str] = {"curate": "backend.jobs.curate:curate"}
