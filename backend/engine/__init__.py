"""The engine: which items lack a work key, who works on them, and how what comes back is committed."""
