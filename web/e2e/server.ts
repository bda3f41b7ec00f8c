/** A real server on a free port with a data folder of its own. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const READY = /^listening on (http:\/\/\S+)$/;
/** A server that has not said that it is ready by then is not going to, in ms. */
const START_LIMIT = 20_000;

export interface DeltaOp {
  insert: string | Record<string, unknown>;
  attributes?: Record<string, unknown>;
}

/** `QUIRE_BIN`, or the binary that was built last. */
function binary(): string {
  if (process.env.QUIRE_BIN) return resolve(process.env.QUIRE_BIN);
  const built = ["release", "debug"]
    .map((profile) => resolve(import.meta.dirname, `../../target/${profile}/quire`))
    .filter((path) => existsSync(path));
  const newest = built.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined) throw new Error("no server to test against: run `cargo build`, or set QUIRE_BIN");
  return newest;
}

/** What is set around a test run, without what is meant for a server of somebody's own. */
function surroundings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("QUIRE_")));
}

/** A PostgreSQL of a test's own, and a folder for what servers share beside it. */
export class Database {
  readonly objects = mkdtempSync(join(tmpdir(), "quire-objects-"));
  readonly url: string;
  private readonly folder: string;

  constructor() {
    const [folder = "", url = ""] = postgres("start", String(process.pid)).split("\n");
    this.folder = folder;
    this.url = url;
  }

  remove(): void {
    postgres("stop", this.folder);
    rmSync(this.objects, { recursive: true, force: true });
  }
}

function postgres(...words: string[]): string {
  return execFileSync(resolve(import.meta.dirname, "../../scripts/services/postgres"), words, { encoding: "utf8" });
}

/** A port that was free a moment ago, for a server that has to be told its own address. */
export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  await new Promise((done) => listener.close(done));
  return port;
}

export class Server {
  private readonly data = mkdtempSync(join(tmpdir(), "quire-e2e-"));
  private child: ChildProcess | undefined;
  url = "";

  private constructor(private readonly variables: Record<string, string>) {}

  /** With these environment variables beside those of the tests, at a port of its own unless it is told one. */
  static async start(variables: Record<string, string> = {}, listen = "127.0.0.1:0"): Promise<Server> {
    const server = new Server(variables);
    await server.launch(listen);
    return server;
  }

  /** Starts it again where it was, so that open pages find it. */
  async launchAgain(): Promise<void> {
    await this.launch(new URL(this.url).host);
  }

  /** Ends it with `signal` and waits until it is gone. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { child } = this;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await gone;
  }

  /** Runs the program on the data of this server, which has to be stopped. */
  change(...words: string[]): void {
    execFileSync(binary(), [...words, "--data", this.data], { env: surroundings() });
  }

  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.data, { recursive: true, force: true });
  }

  private async launch(listen: string): Promise<void> {
    const child = spawn(binary(), ["serve", "--listen", listen, "--data", this.data], {
      stdio: ["ignore", "pipe", "pipe"],
      // People are slower than these.
      env: { ...surroundings(), RUST_LOG: "warn", QUIRE_RATE_LIMITS: "off", ...this.variables },
    });
    this.child = child;
    const said: string[] = [];
    child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    this.url = await new Promise((ready, fail) => {
      const give = (why: string) => fail(new Error(`the server did not start: ${why}\n${said.join("")}`));
      const limit = setTimeout(() => give("it said nothing in time"), START_LIMIT);
      child.once("exit", (code) => give(`it ended with ${String(code)}`));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const address = READY.exec(line)?.[1];
        if (address === undefined) return;
        clearTimeout(limit);
        ready(address);
      });
    });
  }

  /** A call with the token of somebody, or as a guest. */
  async call(method: string, path: string, body?: object, token?: string): Promise<Response> {
    const headers = {
      ...(body && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const response = await fetch(`${this.url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** Opens a document by a socket that ends at once, as a guest, and gives the status of the answer: 101 unless it is refused. */
  async handshake(id: string): Promise<number | undefined> {
    const request = get(`${this.url}/v1/collab/${id}`, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": "quire.v1",
      },
    });
    const [answer] = (await Promise.race([once(request, "upgrade"), once(request, "response")])) as [IncomingMessage];
    answer.socket.destroy();
    return answer.statusCode;
  }

  /** Creates a document and gives its id. */
  async create(title: string, content: DeltaOp[] = [{ insert: "\n" }], token?: string): Promise<string> {
    const response = await this.call("POST", "/v1/docs", { title, content }, token);
    return ((await response.json()) as { id: string }).id;
  }

  /** The durable content. */
  async content(id: string, token?: string): Promise<DeltaOp[]> {
    const response = await this.call("GET", `/v1/docs/${id}/content?format=delta`, undefined, token);
    return ((await response.json()) as { content: DeltaOp[] }).content;
  }

  async title(id: string): Promise<string> {
    const response = await this.call("GET", `/v1/docs/${id}`);
    return ((await response.json()) as { metadata: { title: string } }).metadata.title;
  }

  /** Nobody can write in it any more. */
  async archive(id: string): Promise<void> {
    await this.call("PATCH", `/v1/docs/${id}`, { archived: true });
  }

  async trash(id: string): Promise<void> {
    await this.call("DELETE", `/v1/docs/${id}`);
  }
}
