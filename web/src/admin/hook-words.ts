/** What is said of webhooks. */
import { ago } from "../time";
import type { DeadDelivery, Webhook } from "./api";

/** How a webhook fares. */
export function hookState({ enabled, disabled_because, failing_since }: Webhook, now = Date.now()): string {
  if (!enabled) return disabled_because === undefined ? "disabled" : `disabled: ${disabled_because}`;
  return failing_since === undefined ? "enabled" : `failing since ${ago(failing_since, now)}`;
}

/** Why a delivery was given up. */
export function whyGivenUp({ status, error }: DeadDelivery): string {
  return status === undefined ? (error ?? "no answer") : `answered ${status}`;
}

/** What is asked before a delivery is made again. */
export function askAgain({ url, enabled }: Webhook, { type, doc }: DeadDelivery): string {
  const what = doc === undefined ? type : `${type} of ${doc}`;
  const when = enabled ? "" : " once it is enabled";
  return `${url} is told of ${what} again${when}, and may have heard of it before.`;
}
