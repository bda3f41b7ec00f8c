import { describe, expect, it } from "vitest";
import { Pacing } from "../src/pacing.js";
import { LIMITS } from "./support/server.js";
import { Story } from "./support/story.js";

/** A pacing whose allowance is used up at time 0. */
function throttled(rate = 10): Pacing {
  const pacing = new Pacing(rate, 0);
  pacing.limited(0);
  return pacing;
}

describe("pacing", () => {
  it("does not delay anybody within the rate", () => {
    const pacing = new Pacing(10, 0);
    for (let now = 0; now < 5_000; now += 150) {
      pacing.edited(now, 1);
      expect(pacing.delay(now)).toBe(0);
      pacing.sent(now);
    }
  });

  it("does not delay at all where there is no rate", () => {
    const pacing = new Pacing(0, 0);
    pacing.limited(0);
    pacing.edited(0, 1);
    expect(pacing.delay(0)).toBe(0);
  });

  it("gathers for a pause of 200 ms when throttled", () => {
    const pacing = throttled();
    pacing.edited(0, 1);
    expect(pacing.delay(0)).toBe(200);
    pacing.edited(150, 1);
    expect(pacing.delay(150)).toBe(200);
  });

  it("gathers no more than 20 characters", () => {
    const pacing = throttled();
    pacing.edited(0, 19);
    expect(pacing.delay(0)).toBe(200);
    pacing.edited(0, 1);
    // What is left to wait is the rate.
    expect(pacing.delay(0)).toBe(100);
  });

  it("gathers no longer than 2 s, however steadily the user goes on", () => {
    const pacing = throttled();
    for (let now = 0; now < 1_990; now += 150) pacing.edited(now, 1);
    pacing.limited(1_500);
    expect(pacing.delay(1_990)).toBe(10);
  });

  it("sends nothing before the rate allows it", () => {
    const pacing = throttled(0.5);
    pacing.edited(0, 50);
    expect(pacing.delay(0)).toBe(2_000);
    expect(pacing.delay(2_000)).toBe(0);
  });

  it("throttles nobody for ever", () => {
    const pacing = throttled();
    pacing.edited(1_000, 1);
    expect(pacing.delay(1_000)).toBe(0);
  });
});

describe("a throttled session", () => {
  it("waits with the next operation until the rate allows it, and keeps what is typed meanwhile together", async () => {
    const story = new Story("\n");
    story.server.limits = { ...LIMITS, ops_per_second: 10 };
    const ann = await story.join();
    let refused = false;
    story.server.refuse = () => (refused ? undefined : ((refused = true), "rate_limited"));
    ann.type(0, "a");
    await story.settle();
    ann.type(1, "b");
    ann.type(2, "c");
    await story.pass(2_000);
    expect(story.text).toBe("abc\n");
    expect(ann.session.saved).toBe(true);
    expect(story.server.received.filter(({ type }) => type === "op")).toHaveLength(3);
  });
});
