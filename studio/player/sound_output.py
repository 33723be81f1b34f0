"""The machine's loudspeaker, as something to write samples to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from backend.domain import StudioError
from studio.player.sound_feed import SOUND_RATE
from studio.texts import text

if TYPE_CHECKING:
    from PySide6.QtMultimedia import QAudioDevice, QAudioFormat

QUEUE_S = 0.12
"""Sound that is written ahead: a window that is busy for less than that is not heard."""


class NoSound(StudioError):
    """Nothing can be heard on this machine, and why."""

    kind = "no_sound"


class SoundOutput(Protocol):
    """Takes mono samples int16 at SOUND_RATE and plays them in turn."""

    def room(self) -> int:
        """How many samples it takes now."""
        ...

    def queued(self) -> int:
        """How many were written and not played yet."""
        ...

    def write(self, samples: np.ndarray) -> None:
        """Raises NoSound when the device is gone."""
        ...

    def drop(self) -> None:
        """Forgets what was written and not played."""
        ...

    def close(self) -> None: ...


def open_output() -> SoundOutput:
    """The device that the desktop plays sound on. Raises NoSound when there is none, or the library that plays is missing."""
    try:
        from PySide6.QtMultimedia import QAudio, QAudioFormat, QAudioSink, QMediaDevices
    except ImportError as error:
        raise NoSound(text("sound.no_library", error=error)) from error
    device = QMediaDevices.defaultAudioOutput()
    if device.isNull():
        raise NoSound(text("sound.no_device"))
    form = next((one for one in _formats(QAudioFormat) if device.isFormatSupported(one)), None)
    if form is None:
        raise NoSound(text("sound.no_format", device=device.description(), rate=SOUND_RATE))
    return _DeviceOutput(device, form, QAudioSink, QAudio)


def _formats(made: "type[QAudioFormat]") -> Iterator["QAudioFormat"]:
    for kind in (made.SampleFormat.Int16, made.SampleFormat.Float):
        for channels in (1, 2):
            one = made()
            one.setSampleRate(SOUND_RATE)
            one.setChannelCount(channels)
            one.setSampleFormat(kind)
            yield one


class _DeviceOutput:
    def __init__(self, device: "QAudioDevice", form: "QAudioFormat", sink: type, audio: type) -> None:
        self._name, self._form, self._audio = device.description(), form, audio
        self._sink = sink(device, form)
        self._sink.setBufferSize(form.bytesForDuration(round(QUEUE_S * 1e6)))
        self._written = self._sink.start()

    def room(self) -> int:
        return self._sink.bytesFree() // self._form.bytesPerFrame()

    def queued(self) -> int:
        return (self._sink.bufferSize() - self._sink.bytesFree()) // self._form.bytesPerFrame()

    def write(self, samples: np.ndarray) -> None:
        if self._written is None or self._sink.error() in (self._audio.Error.OpenError, self._audio.Error.FatalError):
            raise NoSound(text("sound.gone", device=self._name))
        self._written.write(
            as_written(samples, channels=self._form.channelCount(), floats=self._form.bytesPerSample() == 4)
        )

    def drop(self) -> None:
        self._sink.reset()
        self._written = self._sink.start()

    def close(self) -> None:
        self._sink.stop()


def as_written(samples: np.ndarray, *, channels: int, floats: bool) -> bytes:
    """Samples int16 `(n,)` as a device takes them: the same in each channel, as int16 or as float32 in [-1, 1]."""
    values = (samples / 32768).astype(np.float32) if floats else samples
    return np.repeat(values, channels).tobytes()
