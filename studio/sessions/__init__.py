"""What happens on a page, without Qt: queues, verdicts, undo, timing."""
