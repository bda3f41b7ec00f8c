import type Quill from "quill";

/** What the editor's undo is to do instead. */
export interface UndoTarget {
  undo: () => void;
  redo: () => void;
  /** What is typed next is a step of its own. */
  cutoff: () => void;
}

/**
 * Routes the editor's undo (keys, the browser's menu, `quill.history`) elsewhere. Quill's own history would undo what
 * others typed, or put back what they deleted. Returns what gives it back its own.
 */
export function routeUndo({ history }: Quill, target: UndoTarget): () => void {
  // Every way to undo ends in `change`; the methods are shadowed on this one editor and uncovered again.
  const routed = {
    change: (direction: "undo" | "redo") => {
      if (direction === "undo") target.undo();
      else target.redo();
    },
    record: () => undefined,
    transform: () => undefined,
    cutoff: target.cutoff,
  };
  history.clear();
  Object.assign(history, routed);
  return () => {
    for (const method of Object.keys(routed)) Reflect.deleteProperty(history, method);
    history.clear();
  };
}
