import { expect, it } from "vitest";
import { agentText } from "../src/account/agent";
import { addressWith, tokenIn } from "../src/editor/share-link";
import { addressText, endOf, untilText } from "../src/sharing/roles";
import { destination, signInPath } from "../src/sign-in/address";

const HERE = "https://docs.example";

it("goes on to paths of this server alone", () => {
  const to = (path: string) => destination(`?to=${encodeURIComponent(path)}`, HERE);
  expect(destination("", HERE)).toBe("/");
  expect(to("/d/a~b?x=1#link=t")).toBe("/d/a~b?x=1#link=t");
  const elsewhere = ["//evil.example/", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "evil", "/\t/evil.example"];
  for (const path of elsewhere) expect(to(path), path).toBe("/");
});

it("says where to go on after signing in, unless that is the start", () => {
  expect(signInPath("/")).toBe("/sign-in");
  expect(destination(new URL(signInPath("/d/a b?c=d&e"), HERE).search, HERE)).toBe("/d/a%20b?c=d&e");
});

it("finds the token of a share link in a fragment, and nothing else", () => {
  expect(tokenIn(new URL(addressWith(`${HERE}/d/x`, "ql_a-b_c")).hash)).toBe("ql_a-b_c");
  for (const hash of ["", "#", "#link=", "#other=x"]) expect(tokenIn(hash)).toBeUndefined();
});

it("says until when something holds", () => {
  const now = new Date(2026, 2, 3, 14, 0).getTime();
  expect(endOf("", now)).toBeUndefined();
  expect(endOf("24", now)).toBe(now + 86_400_000);
  expect(untilText(now + 3_600_000, now)).toMatch(/^until \d\d?:\d\d/);
  expect(untilText(now + 86_400_000, now)).toMatch(/4/);
});

it("says what an address is good for", () => {
  expect(addressText("editor")).toContain("write");
  expect(addressText("viewer")).toContain("read");
  expect(addressText(null)).toContain("shared with");
});

it("names browsers in a few words", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  expect(agentText(chrome)).toBe("Chrome on Linux");
  expect(agentText(chrome.replace("Safari", "Edg/140.0 Safari"))).toBe("Edge on Linux");
  expect(agentText("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1")).toBe("Safari on iOS");
  expect(agentText("curl/8.5.0")).toBe("curl/8.5.0");
  expect(agentText("")).toContain("does not say");
});
