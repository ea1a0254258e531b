/** Text up to the first of some stop strings, as it is generated: what may be the beginning of one is held back. */
export class StopText {
  /** Whether a stop string has come. */
  stopped = false;
  private held = "";

  constructor(private readonly stops: readonly string[]) {}

  /** Adds generated text; returns what can be emitted now. */
  add(text: string): string {
    if (this.stopped) return "";
    if (this.stops.length === 0) return text;
    const all = this.held + text;
    const found = this.stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      this.held = "";
      return all.slice(0, Math.min(...found));
    }
    let keep = 0;
    for (const stop of this.stops) {
      for (let length = Math.min(stop.length - 1, all.length); length > keep; --length) {
        if (all.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    this.held = all.slice(all.length - keep);
    return all.slice(0, all.length - keep);
  }

  /** What was held back, at the end of generation. */
  end(): string {
    const rest = this.held;
    this.held = "";
    return rest;
  }
}
