/** saffu as a keyboard: a session, asked key by key. */
import type { Model, Session } from "../../../host/index.ts";
import type { Keyboard } from "./keystrokes.ts";

export class SaffuKeyboard implements Keyboard {
  private readonly session: Session;

  constructor(model: Model) {
    this.session = model.session();
  }

  type(text: string): void {
    this.session.push(text);
  }

  suggest(most: number): string[] {
    return this.session.suggest({ n: most }).map(({ rest }) => rest);
  }

  end(): void {
    this.session.close();
  }
}
