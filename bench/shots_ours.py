"""`python -m bench.shots_ours VIDEO FPS`: our side of `bench.shots`, which imports what splitting a video takes and no more."""

import json
import sys

from backend.measures.shots import find_transitions
from backend.media.reader import VideoReader
from backend.stages.shots import SplitShots


def main() -> None:
    """Prints the first frames of shots that begin with a cut, as SplitShots finds them."""
    with VideoReader(sys.argv[1]) as reader:
        width = SplitShots().width_px
        size = None if reader.width <= width else (width, max(1, round(reader.height * width / reader.width)))
        changes = find_transitions((frames for _, frames in reader.stream(size=size)), float(sys.argv[2]))
    sys.stdout.write(json.dumps([change.start for change in changes if change.kind == "cut"]))


if __name__ == "__main__":
    main()
