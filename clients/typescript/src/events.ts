type Listener<T> = (value: T) => void;

/**
 * Typed events. An event that a listener causes waits until all listeners have seen the one before it, so that all see
 * them in one order. A listener that throws does not keep the others from hearing; its error is reported as uncaught.
 */
export class Emitter<Events> {
  private readonly listeners = new Map<keyof Events, Set<Listener<never>>>();
  private readonly queue: (() => void)[] = [];
  private held = false;

  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): () => void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
    return () => {
      known.delete(listener);
    };
  }

  emit<E extends keyof Events>(event: E, value: Events[E]): void {
    this.queue.push(() => {
      this.deliver(event, value);
    });
    if (!this.held) this.drain();
  }

  /** Keeps what `change` emits until it has returned, so that listeners never see a state that is halfway. */
  batch<T>(change: () => T): T {
    if (this.held) return change();
    this.held = true;
    try {
      return change();
    } finally {
      this.drain();
    }
  }

  /** Delivers before it returns, also inside of a batch: for what listeners must hear before something happens. */
  emitNow<E extends keyof Events>(event: E, value: Events[E]): void {
    this.deliver(event, value);
  }

  private drain(): void {
    this.held = true;
    for (let deliver = this.queue.shift(); deliver; deliver = this.queue.shift()) deliver();
    this.held = false;
  }

  private deliver<E extends keyof Events>(event: E, value: Events[E]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])] as Listener<Events[E]>[]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
