/** What is a network, and what somebody's id. */

/** An address or a network, and no id of a user: those have neither two dots nor two colons with digits around them. */
export function isNetwork(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/.test(text) || /^[\da-f]*:[\da-f:.]*:[\da-f:.]*(\/\d{1,3})?$/i.test(text);
}
