/**
 * Who may touch the watch: rows, and between two of them work that has it alone, such as saving and learning labels. A line that has been handed out
 * becomes a row before any work begins, so that the places in files that are saved are those of the rows that are saved.
 *
 *     turns.begin();
 *     if (turns.busy) await turns.settled(); // work that began before the line was there
 *     watch.push(line);
 *     turns.end();
 *     if (turns.busy) await turns.settled();
 */
export class Turns {
  private readonly waiting: (() => Promise<void>)[] = [];
  private working: Promise<void> | undefined;
  private inHand = false;

  /** A line has been handed out. */
  begin(): void {
    this.inHand = true;
  }

  /** Its row is there, or it is none. */
  end(): void {
    this.inHand = false;
    this.next();
  }

  get busy(): boolean {
    return this.working !== undefined;
  }

  /** Waits until no work is under way. What waits behind it begins when the line that is in hand is a row. */
  async settled(): Promise<void> {
    while (this.working !== undefined) await this.working;
  }

  /**
   * Has the watch alone, one piece of work after the other. Work on places in files is asked for by a timer, or when all has been read: between two
   * promises a line may have been taken from its file, and not be here yet.
   *
   * @throws what the work throws
   */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push(() => work().then(resolve, reject));
      this.next();
    });
  }

  private next(): void {
    if (this.inHand || this.working !== undefined) return;
    const work = this.waiting.shift();
    if (work === undefined) return;
    this.working = work().finally(() => {
      this.working = undefined;
      if (this.waiting.length > 0) setImmediate(() => this.next()); // when a line that is on its way is in hand
    });
  }
}
