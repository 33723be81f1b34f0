// Videos that play as one. The first is the clock; the others follow it by rate, or by a seek when they are far off.

const FAR_S = 0.12; // beyond it a jump is less disturbing than catching up
const NEAR_S = 0.004; // a quarter of a frame at 60 Hz
const GAIN = 2; // rate per second of drift
const MAX_NUDGE = 0.08; // an ear or an eye does not notice 8 %
const END_S = 0.05;
const LOOP_PAUSE_MS = 700;

export class Players {
  // `changed()` is called when anything that is shown about them changes.
  constructor(videos, { changed, loops }) {
    this.videos = videos;
    this.changed = changed;
    this.loops = loops;
    this.watched = new Set();
    this.wants = false;
    this.loopAt = 0;
    for (const video of videos) {
      video.muted = true;
      video.playsInline = true;
      video.preload = "auto";
      video.addEventListener("ended", () => {
        this.watched.add(video);
        this.changed();
      });
    }
    this.frame = requestAnimationFrame(() => this.tick());
  }

  get clock() {
    return this.videos[0];
  }

  get allWatched() {
    return this.watched.size === this.videos.length;
  }

  get duration() {
    return Math.max(...this.videos.map((video) => video.duration || 0));
  }

  get time() {
    return Math.max(...this.videos.map((video) => video.currentTime));
  }

  get isPlaying() {
    return this.wants;
  }

  async play() {
    if (this.atEnd()) this.seek(0);
    this.wants = true;
    this.changed();
    await Promise.all(this.videos.map((video) => (video.ended ? null : video.play().catch(() => (this.wants = false)))));
    this.changed();
  }

  pause() {
    this.wants = false;
    for (const video of this.videos) video.pause();
    for (const video of this.videos.slice(1)) if (!video.ended) video.currentTime = Math.min(this.clock.currentTime, video.duration);
    this.changed();
  }

  toggle() {
    return this.wants ? this.pause() : this.play();
  }

  seek(seconds) {
    for (const video of this.videos) video.currentTime = Math.min(seconds, video.duration || seconds);
    this.loopAt = 0;
    this.changed();
  }

  restart() {
    this.seek(0);
    return this.play();
  }

  // Sound of one video, or of none.
  listen(place) {
    this.videos.forEach((video, other) => (video.muted = other !== place || !video.muted));
    this.changed();
  }

  atEnd() {
    return this.videos.every((video) => video.ended || video.currentTime >= video.duration - END_S);
  }

  tick() {
    if (this.wants) {
      if (this.videos.every((video) => video.ended)) this.turn();
      else this.follow();
    }
    this.frame = requestAnimationFrame(() => this.tick());
  }

  turn() {
    if (!this.loops) return this.pause();
    const now = performance.now();
    if (!this.loopAt) this.loopAt = now + LOOP_PAUSE_MS;
    else if (now >= this.loopAt) this.restart();
  }

  follow() {
    const clock = this.clock;
    for (const video of this.videos.slice(1)) {
      if (video.ended || clock.ended || video.seeking || clock.seeking) {
        video.playbackRate = 1;
        continue;
      }
      const drift = video.currentTime - clock.currentTime;
      if (Math.abs(drift) > FAR_S) {
        video.currentTime = clock.currentTime;
        video.playbackRate = 1;
      } else if (Math.abs(drift) > NEAR_S) {
        video.playbackRate = 1 - Math.max(-MAX_NUDGE, Math.min(MAX_NUDGE, drift * GAIN));
      } else {
        video.playbackRate = 1;
      }
    }
  }

  close() {
    cancelAnimationFrame(this.frame);
    for (const video of this.videos) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
  }
}
