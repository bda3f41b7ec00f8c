/** Tells what the browser knows about the network, now and whenever it changes; elsewhere it says nothing. */
export function watchNetwork(listener: (online: boolean) => void): () => void {
  if (typeof window === "undefined") return () => undefined;
  const online = (): void => listener(true);
  const offline = (): void => listener(false);
  window.addEventListener("online", online);
  window.addEventListener("offline", offline);
  if (!window.navigator.onLine) offline();
  return () => {
    window.removeEventListener("online", online);
    window.removeEventListener("offline", offline);
  };
}
