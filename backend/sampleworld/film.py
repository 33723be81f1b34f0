"""Renders planned shots to frames, and says what is on each: the compositor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import rle
from backend.sampleworld.cast import Sprite, Wardrobe, draw_sprite, size_of
from backend.sampleworld.creatures import AnimalLook, AnimalState
from backend.sampleworld.people import PersonLook, PersonState
from backend.sampleworld.places import Place, paint_front, paint_place
from backend.sampleworld.script import Retake, ShotPlan, SubjectPlan, VideoPlan
from backend.sampleworld.sound import envelope
from backend.sampleworld.truth import SubjectFrame

PLACE_MARGIN = 1.35  # the painted place is this much larger than the frame, so that cameras can move
TURN_STEP_DEG = 3.0
PHASE_STEPS = {"walk": 16, "wave": 12, "talk": 8, "reach": 12, "look": 12, "idle": 6}
POSE_EVERY = 2  # bodies change on every second frame, as in most drawn films; places and cameras move on every frame
SOFTNESS = 1.15  # subjects are drawn a little smaller than shown: as soft as the place, which is enlarged as much
MASK_STRIDE = 4
SAMPLE_POINTS = (0.05, 0.5, 0.95)  # Phantom-Data, section 3.2: where subjects are looked for
SEEN_ALPHA = 128
SHADOW_PX = 64
NOISE_SIGMA = 2.2  # of 255: a small sensor at ISO 400


@dataclass(frozen=True, slots=True)
class Shown:
    """One subject on one rendered picture; coordinates of the picture."""

    subject: int
    row: SubjectFrame


class ShotStage:
    """A shot ready to be filmed: its place painted, its sprites drawn when first needed.

    `frame_size` is (width, height) with the borders. Footage of a video of another picture shape is filmed in that
    shape and then fills this one: scaled, and cut on both sides of its middle.
    """

    def __init__(self, plan: ShotPlan, video: VideoPlan, frame_size: tuple[int, int], wardrobe: Wardrobe) -> None:
        self.plan = plan
        self._video = video
        self._shown_size = _inner_size(video.border, frame_size)
        size = _inner_size((plan.retake and plan.retake.border) or video.border, frame_size)
        self._refit = None if size == self._shown_size else _filling(size, self._shown_size)
        self._width, self._height = size
        self._wardrobe = wardrobe
        canvas = (round(size[0] * PLACE_MARGIN), round(size[1] * PLACE_MARGIN))
        self._place = _white_balanced(paint_place(plan.place, plan.place_seed, canvas), plan.warmth)
        picture = self._place.picture
        if plan.blur:
            picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, plan.blur * size[1]))
        self._picture = picture
        self._front = paint_front(plan.front, plan.seed, canvas) if plan.front else None
        self._sprites: dict[tuple, Sprite] = {}
        self._sizes = [size_of(s.identity.look, azimuth_deg=s.azimuth_deg[0]) for s in plan.subjects]
        self._noise = _noise_tiles(plan.seed, size)
        self._shake = _shake_path(plan)
        self._kept = _mask_frames(plan)

    def render(self, frame: int, *, origin: tuple[int, int], frame_size: tuple[int, int]) -> tuple[np.ndarray, list[Shown]]:
        """The picture uint8 (H, W, 3) of a frame of the video, and its subjects in coordinates of the whole frame."""
        camera = self._camera(frame)
        picture = cv2.warpAffine(
            self._picture, camera[:2], (self._width, self._height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        self._pan_blur(picture, frame)
        layers = []
        for number, subject in enumerate(self.plan.subjects):
            sprite, warp, state = self._pose(number, frame, camera)
            self._cast_shadow(picture, number, frame, camera)
            layers.append((number, subject, state, sprite, *_paste(picture, sprite.rgba, warp)))
        cover = self._paste_front(picture, camera) if self._front is not None else None
        self._develop(picture, frame)
        keep = frame in self._kept
        shown = [self._report(k, layers, cover, frame, origin, frame_size, keep) for k in range(len(layers))]
        if self._refit is not None:
            picture = cv2.warpAffine(picture, self._refit, self._shown_size, flags=cv2.INTER_LINEAR)
        return picture, shown

    def _time(self, frame: int) -> float:
        """0 at the shot's first clean frame, 1 at its last; transitions go beyond."""
        return (frame - self.plan.start_frame) / max(1, self.plan.stop_frame - self.plan.start_frame - 1)

    def _camera(self, frame: int) -> np.ndarray:
        """Picture from place, (3, 3), in pixels."""
        plan, t = self.plan.camera, float(np.clip(self._time(frame), -0.15, 1.15))
        ease = t if t < 0 or t > 1 else t * t * (3 - 2 * t) * 0.5 + t * 0.5
        span = plan.span[0] + (plan.span[1] - plan.span[0]) * ease
        jx, jy = self._shake[min(max(frame - self.plan.first_frame, 0), len(self._shake) - 1)]
        x = plan.x[0] + (plan.x[1] - plan.x[0]) * ease + jx
        y = plan.y[0] + (plan.y[1] - plan.y[0]) * ease + jy
        zoom = 1 / (span * PLACE_MARGIN)
        canvas_w, canvas_h = self._picture.shape[1], self._picture.shape[0]
        camera = np.array([[zoom, 0, -x * canvas_w * zoom], [0, zoom, -y * canvas_h * zoom], [0, 0, 1.0]])
        retake = self.plan.retake or Retake()
        cx, cy, size = retake.crop
        crop = np.array([[1 / size, 0, -cx * self._width / size], [0, 1 / size, -cy * self._height / size], [0, 0, 1.0]])
        return crop @ camera

    def _pan_blur(self, picture: np.ndarray, frame: int) -> None:
        """What a shutter open for half of the frame time does to the place."""
        before, now = self._camera(frame - 1), self._camera(frame)
        speed = abs(float(now[0, 2] - before[0, 2])) * 0.5
        if speed >= 2:
            cv2.blur(picture, (round(speed), 1), dst=picture)

    def _state(self, subject: SubjectPlan, frame: int) -> PersonState | AnimalState | None:
        seconds = (frame - self.plan.start_frame) / self._video.fps
        steps = PHASE_STEPS.get(subject.action, 1)
        phase = round((seconds / subject.period_s + subject.phase) % 1 * steps) % steps / steps
        match subject.identity.look:
            case AnimalLook():
                return AnimalState(action=subject.action, phase=phase)
            case PersonLook():
                expression = subject.expressions[int(self._time(frame) > 0.55)]
                mouth = 0.0
                if subject.speaks:
                    loud = envelope(list(self._video.syllables), np.array([frame / self._video.fps]))[0]
                    mouth = round(float(loud) * 4) / 4
                blinks = (frame + self.plan.seed) % 67
                turn = round(8 * np.sin(2 * np.pi * (seconds / 3.1 + subject.phase)) / 8) * 8.0
                return PersonState(
                    action=subject.action,
                    phase=phase,
                    expression=expression,
                    mouth_open=mouth,
                    blink=1.0 if blinks < 3 else 0.0,
                    head_turn_deg=turn,
                )
            case _:
                return None

    def _pose(self, number: int, frame: int, camera: np.ndarray):
        subject, (_, tall) = self.plan.subjects[number], self._sizes[number]
        t = float(np.clip(self._time(frame), -0.1, 1.1))
        azimuth = subject.azimuth_deg[0] + (subject.azimuth_deg[1] - subject.azimuth_deg[0]) * t
        azimuth = round(azimuth / TURN_STEP_DEG) * TURN_STEP_DEG
        state = self._state(subject, frame - (frame - self.plan.start_frame) % POSE_EVERY)
        key = (subject.identity.id, azimuth, state)
        if key not in self._sprites:
            scale, lowest = self._sprite_scale(subject, tall)
            self._sprites[key] = draw_sprite(
                subject.identity, state, self._wardrobe,
                azimuth_deg=azimuth, elevation_deg=subject.elevation_deg, scale=scale, light=self._place.light, lowest=lowest,
            )  # fmt: skip
        sprite = self._sprites[key]
        canvas_w, canvas_h = self._picture.shape[1], self._picture.shape[0]
        size = (subject.height[0] + (subject.height[1] - subject.height[0]) * t) * canvas_h / (tall * sprite.scale)
        x = (subject.x[0] + (subject.x[1] - subject.x[0]) * t) * canvas_w
        y = subject.foot * canvas_h
        place = np.array([[size, 0, x - size * sprite.foot[0]], [0, size, y - size * sprite.foot[1]], [0, 0, 1.0]])
        return sprite, (camera @ place)[:2], (azimuth, state)

    def _sprite_scale(self, subject: SubjectPlan, tall: float) -> tuple[float, float]:
        """Pixels per metre at which the subject is drawn, and the lowest metre worth drawing."""
        zoom = max(abs(self._camera(f)[0, 0]) for f in (self.plan.start_frame, self.plan.stop_frame))
        height_px = max(subject.height) * self._picture.shape[0] * zoom
        framed = {"full": -1e9, "medium": 0.05 * tall, "close": 0.42 * tall, "bust": 0.64 * tall}[subject.framing]
        return height_px / tall / SOFTNESS, framed

    def _cast_shadow(self, picture: np.ndarray, number: int, frame: int, camera: np.ndarray) -> None:
        subject, (wide, tall) = self.plan.subjects[number], self._sizes[number]
        t = float(np.clip(self._time(frame), -0.1, 1.1))
        canvas_w, canvas_h = self._picture.shape[1], self._picture.shape[0]
        metre = (subject.height[0] + (subject.height[1] - subject.height[0]) * t) * canvas_h / tall * camera[0, 0]
        x = (subject.x[0] + (subject.x[1] - subject.x[0]) * t) * canvas_w
        foot = camera @ np.array([x, subject.foot * canvas_h, 1.0])
        half_w, half_h = 0.88 * wide * metre, 0.23 * wide * metre
        middle = foot[0] - self._place.light.toward[0] * 0.35 * wide * metre
        grow = np.array([[2 * half_w / SHADOW_PX, 0, middle - half_w], [0, 2 * half_h / SHADOW_PX, foot[1] - half_h]])
        x0, y0 = max(0, int(middle - half_w)), max(0, int(foot[1] - half_h))
        x1, y1 = min(self._width, int(middle + half_w) + 1), min(self._height, int(foot[1] + half_h) + 1)
        if x0 >= x1 or y0 >= y1:
            return
        grow[:, 2] -= (x0, y0)
        dark = cv2.warpAffine(_SHADOW, grow, (x1 - x0, y1 - y0), borderValue=255)
        area = picture[y0:y1, x0:x1]
        cv2.multiply(area, cv2.cvtColor(dark, cv2.COLOR_GRAY2BGR), dst=area, scale=1 / 255)

    def _paste_front(self, picture: np.ndarray, camera: np.ndarray):
        """Things before the subjects move 1.3 times as far as the place: parallax."""
        assert self._front is not None
        near = camera.copy()
        middle = np.array([self._width / 2, self._height / 2])
        near[:2, :2] *= 1.15
        near[:2, 2] = middle + (near[:2, 2] - middle) * 1.15
        return _paste(picture, self._front, near[:2])

    def _develop(self, picture: np.ndarray, frame: int) -> None:
        """Exposure drift, then sensor noise."""
        swing = self.plan.light_swing * np.sin(2 * np.pi * (0.8 * self._time(frame) + self.plan.seed % 7 / 7))
        gain = (self.plan.retake or Retake()).gain * (1 + swing)
        if gain != 1:
            cv2.convertScaleAbs(picture, dst=picture, alpha=gain)
        rng = np.random.default_rng([self.plan.seed, frame, 8])
        dy, dx = rng.integers(0, 64, 2)
        plus, minus = self._noise
        h, w = picture.shape[:2]
        cv2.add(picture, plus[dy : dy + h, dx : dx + w], dst=picture)
        cv2.subtract(picture, minus[dy : dy + h, dx : dx + w], dst=picture)

    def _report(
        self, k: int, layers: list, cover, frame: int, origin: tuple[int, int], frame_size: tuple[int, int], keep: bool
    ) -> Shown:
        number, subject, (azimuth, state), _sprite, area, alpha, whole = layers[k]
        seen = alpha >= SEEN_ALPHA if alpha is not None else np.zeros((0, 0), bool)
        for above in [(layer[4], layer[5]) for layer in layers[k + 1 :]] + ([cover[:2]] if cover else []):
            _hide(seen, area, *above)
        if self._refit is not None:
            seen, area, whole = self._refitted(seen, area), (0, 0), whole * float(self._refit[0, 0]) ** 2
        count = int(np.count_nonzero(seen))
        box: Box | None = None
        mask = None
        if count:
            rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
            x, y = area[0] + origin[0], area[1] + origin[1]
            box = (float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1))
            if keep:
                full = np.zeros((frame_size[1], frame_size[0]), bool)
                full[y : y + seen.shape[0], x : x + seen.shape[1]] = seen
                mask = rle.encode(full)
        expression = state.expression if isinstance(state, PersonState) else ""
        whole /= _drawn_share(subject)
        row = SubjectFrame(
            frame=frame,
            box=box,
            visible=min(1.0, count / max(whole, 1.0)),
            azimuth_deg=azimuth % 360,
            expression=expression,
            mask=mask,
        )
        return Shown(number, row)

    def _refitted(self, seen: np.ndarray, area: tuple[int, int]) -> np.ndarray:
        """Visible pixels at a corner of the picture as filmed, on the whole picture as shown."""
        assert self._refit is not None
        filmed = np.zeros((self._height, self._width), np.uint8)
        filmed[area[1] : area[1] + seen.shape[0], area[0] : area[0] + seen.shape[1]] = seen
        return cv2.warpAffine(filmed, self._refit, self._shown_size, flags=cv2.INTER_NEAREST).astype(bool)


def film(
    video: VideoPlan, size: tuple[int, int], wardrobe: Wardrobe
) -> Iterator[tuple[np.ndarray, int, int | None, list[Shown]]]:
    """Frames of a video without borders and overlays: picture, frame number, shot number (None in a transition), subjects."""
    origin = content_box(video.border, size)[:2]
    stages: dict[int, ShotStage] = {}

    def picture_of(shot: int, frame: int) -> tuple[np.ndarray, list[Shown]]:
        if shot not in stages:
            stages[shot] = ShotStage(video.shots[shot], video, size, wardrobe)
        return stages[shot].render(frame, origin=origin, frame_size=size)

    for number, shot in enumerate(video.shots):
        for frame in range(shot.start_frame, shot.stop_frame):
            picture, shown = picture_of(number, frame)
            yield picture, frame, number, shown
        if number < len(video.transitions):
            kind, start, stop = video.transitions[number]
            for frame in range(start, stop):
                yield _blend(kind, number, frame, start, stop, picture_of), frame, None, []
        stages.pop(number)


def _white_balanced(place: Place, warmth: float) -> Place:
    """The place as a camera set warmer (positive) or colder sees it."""
    gains = (1 + warmth, 1.0, 1 - warmth)
    table = np.clip(np.arange(256)[:, None] * np.array(gains), 0, 255).round().astype(np.uint8)
    light = place.light
    key = (light.key[0] * gains[0], light.key[1], light.key[2] * gains[2])
    sky = (light.sky[0] * gains[0], light.sky[1], light.sky[2] * gains[2])
    return replace(place, picture=cv2.LUT(place.picture, table[None]), light=replace(light, key=key, sky=sky))


def content_box(border: tuple[str, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The picture inside a video's borders, in pixels; even numbers, as broadcasters cut them."""
    width, height = size
    kind, share = border
    if kind == "letterbox":
        bar = round(height * (1 - share) / 4) * 2
        return 0, bar, width, height - bar
    if kind == "pillarbox":
        bar = round(width * (1 - share) / 4) * 2
        return bar, 0, width - bar, height
    return 0, 0, width, height


def _inner_size(border: tuple[str, float], frame_size: tuple[int, int]) -> tuple[int, int]:
    x0, y0, x1, y1 = content_box(border, frame_size)
    return x1 - x0, y1 - y0


def _filling(filmed: tuple[int, int], shown: tuple[int, int]) -> np.ndarray:
    """(2, 3): the least scale at which a picture of one size fills another, middle on middle."""
    scale = max(shown[0] / filmed[0], shown[1] / filmed[1])
    return np.array([[scale, 0, (shown[0] - scale * filmed[0]) / 2], [0, scale, (shown[1] - scale * filmed[1]) / 2]])


def _blend(kind: str, number: int, frame: int, start: int, stop: int, picture_of) -> np.ndarray:
    t = (frame - start + 1) / (stop - start + 1)
    if kind == "dissolve":
        old, new = picture_of(number, frame)[0], picture_of(number + 1, frame)[0]
        return cv2.addWeighted(old, 1 - t, new, t, 0)
    shot = number if t < 0.5 else number + 1
    return cv2.convertScaleAbs(picture_of(shot, frame)[0], alpha=abs(2 * t - 1))


def _paste(picture: np.ndarray, sprite: np.ndarray, warp: np.ndarray):
    """Draws a sprite; gives ((x, y), its alpha there or None, the area of its whole silhouette in pixels)."""
    h, w = sprite.shape[:2]
    corners = warp @ np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1.0]])
    low, high = np.floor(corners.min(axis=1)).astype(int), np.ceil(corners.max(axis=1)).astype(int)
    x0, y0 = max(0, low[0]), max(0, low[1])
    x1, y1 = min(picture.shape[1], high[0]), min(picture.shape[0], high[1])
    whole = float(np.count_nonzero(sprite[..., 3] >= SEEN_ALPHA)) * abs(float(np.linalg.det(warp[:, :2])))
    if x0 >= x1 or y0 >= y1:
        return (0, 0), None, whole
    local = warp.copy()
    local[:, 2] -= (x0, y0)
    flags = cv2.INTER_AREA if warp[0, 0] < 0.6 else cv2.INTER_LINEAR
    drawn = cv2.warpAffine(sprite, local, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    alpha = drawn[..., 3]
    area = picture[y0:y1, x0:x1]
    weight = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    front = cv2.multiply(drawn[..., :3], weight, scale=1 / 255)
    back = cv2.multiply(area, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(front, back, dst=area)
    return (x0, y0), alpha, whole


def _hide(seen: np.ndarray, area: tuple[int, int], above_area: tuple[int, int], above: np.ndarray | None) -> None:
    """Takes the pixels that lie under another layer out of `seen`."""
    if above is None or seen.size == 0:
        return
    x0, y0 = max(area[0], above_area[0]), max(area[1], above_area[1])
    x1 = min(area[0] + seen.shape[1], above_area[0] + above.shape[1])
    y1 = min(area[1] + seen.shape[0], above_area[1] + above.shape[0])
    if x0 < x1 and y0 < y1:
        part = above[y0 - above_area[1] : y1 - above_area[1], x0 - above_area[0] : x1 - above_area[0]]
        seen[y0 - area[1] : y1 - area[1], x0 - area[0] : x1 - area[0]] &= part < SEEN_ALPHA


def _drawn_share(subject: SubjectPlan) -> float:
    """How much of the whole silhouette a sprite cut below the frame still shows (measured over twelve people)."""
    return {"full": 1.0, "medium": 0.96, "close": 0.62, "bust": 0.43}[subject.framing]


def _noise_tiles(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, 6])
    noise = rng.standard_normal((size[1] + 64, size[0] + 64, 3), dtype=np.float32) * NOISE_SIGMA
    return np.clip(noise, 0, 255).round().astype(np.uint8), np.clip(-noise, 0, 255).round().astype(np.uint8)


def _shake_path(plan: ShotPlan) -> np.ndarray:
    """Hand-held sway as fractions of the place, (frames, 2): smooth, a few hertz."""
    n = plan.last_frame - plan.first_frame
    rng = np.random.default_rng([plan.camera.seed, 4])
    steps = rng.standard_normal((n + 24, 2))
    kernel = np.hanning(13)
    smooth = np.stack([np.convolve(steps[:, i], kernel / np.sqrt((kernel**2).sum()), "same") for i in (0, 1)], axis=1)
    return smooth[12 : 12 + n] * plan.camera.shake


def _mask_frames(plan: ShotPlan) -> set[int]:
    n = plan.stop_frame - plan.start_frame
    points = {plan.start_frame + int(p * (n - 1)) for p in SAMPLE_POINTS}
    return points | set(range(plan.start_frame, plan.stop_frame, MASK_STRIDE)) | {plan.stop_frame - 1}


def _soft_spot() -> np.ndarray:
    """A shadow's darkness, uint8 (64, 64): 255 is none."""
    y, x = np.mgrid[-1 : 1 : SHADOW_PX * 1j, -1 : 1 : SHADOW_PX * 1j]
    away = x**2 + y**2
    return np.round(255 * (1 - 0.58 * np.exp(-3.5 * away) * np.clip(1.6 * (1 - away), 0, 1))).astype(np.uint8)


_SHADOW = _soft_spot()
