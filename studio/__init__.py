"""The Qt desktop application. Imports no torch, duckdb, cv2 or fastapi."""
