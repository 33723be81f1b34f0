"""The pages of the window. To add one: a file here and a line in `PAGES`."""

PAGES: dict[str, str] = {
    "Verify": "studio.pages.verify:VerifyPage",
    "Compare": "studio.pages.compare:ComparePage",
}
"""Name on the page's tab -> `module:Class`, in the order of the tabs."""
