"""Our own video player: decoder threads, a cache bounded in bytes, one clock for all panes."""
