/** Reads the browser's own trace: what the thread that draws a page was busy with. */
import type { CDPSession, Page } from "@playwright/test";

interface TraceEvent {
  name: string;
  /** `X` has a duration; others of the same name only point at it. */
  ph: string;
  pid: number;
  tid: number;
  /** Time of the processor, in µs: what other programs take meanwhile is not counted. */
  tdur?: number;
  args: { name?: string };
}

const FRAME = "ProxyMain::BeginMainFrame";

export interface Work {
  /** Each task of the main thread, in ms of its processor. */
  tasks: number[];
  /** Frames that the main thread took part in. */
  frames: number;
}

/** Records `page` while `act` runs. */
export async function traced(page: Page, act: () => Promise<void>): Promise<Work> {
  const protocol = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  protocol.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await protocol.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel", "cc", "devtools.timeline", "disabled-by-default-devtools.timeline"] },
  });
  await act();
  await finish(protocol);
  return workOf(events, processOf(events));
}

async function finish(protocol: CDPSession): Promise<void> {
  const complete = new Promise((resolve) => protocol.once("Tracing.tracingComplete", resolve));
  await protocol.send("Tracing.end");
  await complete;
}

/** Other pages are recorded as well; the process of this one is the one that drew most frames. */
function processOf(events: TraceEvent[]): number {
  const frames = new Map<number, number>();
  for (const { name, ph, pid } of events) if (name === FRAME && ph === "X") frames.set(pid, (frames.get(pid) ?? 0) + 1);
  return [...frames].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}

function workOf(events: TraceEvent[], pid: number): Work {
  const here = events.filter((event) => event.pid === pid);
  const main = here.find(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")?.tid;
  const drawn = here.filter(({ tid }) => tid === main);
  return {
    tasks: drawn.filter(({ name, tdur }) => name === "RunTask" && tdur !== undefined).map(({ tdur = 0 }) => tdur / 1000),
    frames: drawn.filter(({ name, ph }) => name === FRAME && ph === "X").length,
  };
}
