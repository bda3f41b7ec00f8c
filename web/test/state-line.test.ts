import { describe as group, expect, it } from "vitest";
import { describe, type Situation } from "../src/editor/state-line";

const now = 1_700_000_000_000;
const calm: Situation = {
  connection: { state: "connected" },
  goneSince: undefined,
  ready: true,
  saved: true,
  unsavedSince: undefined,
  connectedSince: now - 60_000,
  role: "editor",
  merged: 0,
  now,
};

group("the state line", () => {
  it("says that all is saved", () => {
    expect(describe(calm).text).toBe("All changes saved");
  });

  it("does not speak of saving before 300 ms have passed", () => {
    expect(describe({ ...calm, saved: false, unsavedSince: now - 299 }).text).toBe("All changes saved");
    expect(describe({ ...calm, saved: false, unsavedSince: now - 300 }).text).toBe("Saving…");
  });

  it("asks to keep the page when saving takes long", () => {
    expect(describe({ ...calm, saved: false, unsavedSince: now - 10_000 }).text).toBe(
      "Still saving. Keep this page open.",
    );
  });

  it("does not count what waited for a connection, once there is one", () => {
    const back: Situation = { ...calm, saved: false, unsavedSince: now - 50_000, connectedSince: now - 200 };
    expect(describe(back).text).toBe("All changes saved");
    expect(describe({ ...back, connectedSince: now - 9_000 }).text).toBe("Saving…");
  });

  it("promises to keep changes while offline", () => {
    expect(describe({ ...calm, connection: { state: "offline" } }).text).toBe(
      "Offline. Your changes are kept on this device.",
    );
  });

  it("counts down to the next attempt, offers to try now, and speaks it once", () => {
    const first = describe({
      ...calm,
      goneSince: now - 500,
      connection: { state: "reconnecting", retryAt: now + 3_200 },
    });
    const later = describe({
      ...calm,
      goneSince: now - 1_500,
      connection: { state: "reconnecting", retryAt: now + 2_200 },
    });
    expect(first.text).toBe("Reconnecting in 4 s");
    expect(first.action).toEqual({ label: "Retry now", does: "retry" });
    expect(later.text).toBe("Reconnecting in 3 s");
    expect(later.spoken).toBe(first.spoken);
  });

  it("does not speak of a connection that is back at once", () => {
    expect(describe({ ...calm, goneSince: now - 200, connection: { state: "reconnecting" } }).text).toBe(
      "All changes saved",
    );
  });

  it("says why the first opening is put off, counts down to the next one, and speaks it once", () => {
    const opening = (retryAt?: number): Situation => ({
      ...calm,
      ready: false,
      connectedSince: undefined,
      connection: { state: "connecting", reason: "rate_limited", ...(retryAt !== undefined && { retryAt }) },
    });
    const first = describe(opening(now + 4_200));
    const later = describe(opening(now + 3_200));
    expect(first).toMatchObject({ text: "Opened too often. Trying again in 5 s", tone: "warning" });
    expect(later.text).toBe("Opened too often. Trying again in 4 s");
    expect(later.spoken).toBe(first.spoken);
    expect(first.action).toBeUndefined();
    expect(describe(opening()).text).toBe("Opening…");
    expect(describe(opening(now)).text).toBe("Opening…");
  });

  it("says that the server cannot open a document yet, and offers to try now", () => {
    const waits: Situation["connection"][] = [
      { state: "connecting", reason: "unavailable" },
      { state: "reconnecting", reason: "unavailable" },
      { state: "connecting", reason: "draining" },
    ];
    for (const connection of waits) {
      const retryAt = now + 2_000;
      const line = describe({ ...calm, ready: false, connectedSince: undefined, connection: { ...connection, retryAt } });
      expect(line.text).toBe("The server cannot open it yet. Trying again in 2 s");
      expect(line.action).toEqual({ label: "Retry now", does: "retry" });
    }
  });

  it("promises to keep changes of a document that was there when a connection is put off", () => {
    const line = describe({
      ...calm,
      goneSince: now - 5_000,
      connection: { state: "reconnecting", reason: "rate_limited", retryAt: now + 2_000 },
    });
    expect(line.text).toBe("Reconnecting in 2 s");
    expect(line.spoken).toContain("Your changes are kept on this device.");
  });

  it("tells how many offline changes were merged", () => {
    expect(describe({ ...calm, merged: 12 })).toMatchObject({
      text: "Merged 12 offline changes",
      action: { label: "Show" },
    });
    expect(describe({ ...calm, merged: 1 }).text).toBe("Merged 1 offline change");
  });

  it("says when the document can only be read", () => {
    expect(describe({ ...calm, role: "viewer" }).text).toBe("View only");
  });

  it("offers to restore a deleted document", () => {
    const line = describe({ ...calm, connection: { state: "closed", reason: "deleted" } });
    expect(line).toMatchObject({ text: "This document was deleted", action: { does: "restore" } });
  });

  it("says when access was removed", () => {
    expect(describe({ ...calm, connection: { state: "closed", reason: "forbidden" } }).text).toBe(
      "Someone removed your access",
    );
  });
});
