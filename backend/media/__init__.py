"""Pictures and sound: indexed video reading, probing, images, audio, writing. Imports no cv2, torch or duckdb."""
