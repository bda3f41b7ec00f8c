import { expect, test } from "vitest";
import type { Webhook } from "../src/admin/api";
import { askAgain, hookState, whyGivenUp } from "../src/admin/hook-words";

const hook: Webhook = { id: "wh_1", scope: "server", url: "https://hooks.example/a", enabled: true };
const dead = { id: "wd_1", type: "document.created", doc: "minutes", tries: 8 };

test("a webhook is enabled, failing, or disabled for a reason", () => {
  expect(hookState(hook)).toBe("enabled");
  expect(hookState({ ...hook, failing_since: 0 }, 120_000)).toBe("failing since 2 min ago");
  expect(hookState({ ...hook, enabled: false })).toBe("disabled");
  const disabled = { ...hook, enabled: false, disabled_because: "it has answered 410", failing_since: 0 };
  expect(hookState(disabled)).toBe("disabled: it has answered 410");
});

test("what was given up says what came of its last try", () => {
  expect(whyGivenUp({ ...dead, status: 503 })).toBe("answered 503");
  expect(whyGivenUp({ ...dead, error: "timeout" })).toBe("timeout");
  expect(whyGivenUp(dead)).toBe("no answer");
});

test("before something is sent again it is said to whom, of what and when", () => {
  expect(askAgain(hook, dead)).toBe(
    "https://hooks.example/a is told of document.created of minutes again, and may have heard of it before.",
  );
  expect(askAgain({ ...hook, enabled: false }, { id: "wd_2", type: "ping", tries: 1 })).toBe(
    "https://hooks.example/a is told of ping again once it is enabled, and may have heard of it before.",
  );
});
