import type Delta from "quill-delta";
import type { Applied, EditRange } from "./client.js";
import type { Document } from "./delta/document.js";
import { inverse as inverseOn } from "./delta/invert.js";

/** Edits within this time of the first one are undone together, as in Quill. */
const STEP_MS = 1_000;

/** Steps kept; older ones are forgotten. */
const MOST_STEPS = 100;

/** What undoes (or redoes) one step, on the content as it is now, and which edits the step is made of. */
interface Step extends EditRange {
  readonly delta: Delta;
}

/**
 * Undo and redo of the user's own edits. A step holds the inverse of what the user did, and is moved over whatever others
 * do: `steps[n]` applies to the content, `steps[n-1]` to what it gives, and so on. So an undo takes back the own edit and
 * leaves alone what others typed, formatted or deleted since.
 */
export class UndoStack {
  private undoable: Step[] = [];
  private redoable: Step[] = [];
  private stepBegan = -Infinity;

  get canUndo(): boolean {
    return this.undoable.length > 0;
  }

  get canRedo(): boolean {
    return this.redoable.length > 0;
  }

  /** What the next undo applies. */
  peekUndo(): Delta | undefined {
    return this.undoable.at(-1)?.delta;
  }

  peekRedo(): Delta | undefined {
    return this.redoable.at(-1)?.delta;
  }

  /** An edit of the user was applied at `now` (ms). */
  edited({ inverse, edit }: Applied, now: number): void {
    this.redoable = [];
    const last = this.undoable.at(-1);
    if (last && now - this.stepBegan < STEP_MS && now >= this.stepBegan) {
      const merged = { delta: inverse.compose(last.delta), first: last.first, last: edit };
      this.undoable.splice(-1, 1, ...(merged.delta.ops.length > 0 ? [merged] : []));
      return;
    }
    this.stepBegan = now;
    this.undoable.push({ delta: inverse, first: edit, last: edit });
    if (this.undoable.length > MOST_STEPS) this.undoable.shift();
  }

  /** What `peekUndo` gave was applied: redoing it is its inverse. */
  undid({ inverse, edit }: Applied): void {
    this.undoable.pop();
    this.redoable.push({ delta: inverse, first: edit, last: edit });
    this.breakStep();
  }

  redid({ inverse, edit }: Applied): void {
    this.redoable.pop();
    this.undoable.push({ delta: inverse, first: edit, last: edit });
    this.breakStep();
  }

  /** The next edit begins a step of its own. */
  breakStep(): void {
    this.stepBegan = -Infinity;
  }

  /** The content changed by somebody else's hand. */
  moveOver(change: Delta): void {
    this.undoable = moved(this.undoable, change);
    this.redoable = moved(this.redoable, change);
  }

  /** Edits were refused, and `change` has taken them back, which gave `content`: there is nothing of them to undo. */
  forget(edits: EditRange, change: Delta, content: Document): void {
    this.undoable = without(edits, this.undoable, change, content);
    this.redoable = without(edits, this.redoable, change, content);
  }

  clear(): void {
    this.undoable = [];
    this.redoable = [];
    this.breakStep();
  }
}

/** Steps moved over a change of the content, from the newest down; those that have nothing left to do go. */
function moved(steps: readonly Step[], change: Delta): Step[] {
  let over = change;
  const result: Step[] = [];
  for (const step of [...steps].reverse()) {
    const delta = over.transform(step.delta, true);
    over = step.delta.transform(over, false);
    if (delta.ops.length > 0) result.unshift({ ...step, delta });
  }
  return result;
}

/**
 * The same, leaving out the steps that some edits are part of. A step below one that goes was made for what that one would
 * have given, other edits of the same step undone too; so it is moved back over what is not going to happen.
 */
function without(edits: EditRange, steps: readonly Step[], change: Delta, content: Document): Step[] {
  let over = change;
  let document = content;
  const result: Step[] = [];
  for (const step of [...steps].reverse()) {
    const delta = over.transform(step.delta, true);
    over = step.delta.transform(over, false);
    if (step.last < edits.first || step.first > edits.last) {
      document = document.apply(delta);
      if (delta.ops.length > 0) result.unshift({ ...step, delta });
    } else over = over.compose(inverseOn(delta, document));
  }
  return result;
}
