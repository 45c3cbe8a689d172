// Owns an emulated libSQL server on loopback: Hrana 2 over HTTP (JSON) on SQLite in memory, as far as
// @libsql/client uses it without interactive transactions. Refuses a wrong token. Keeps every SQL text seen.
// Source: libsql's docs/HRANA_2_SPEC.md, "Hrana over HTTP".
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

export interface LibsqlEmulator {
  /** An http: URL that `@libsql/client` takes. */
  readonly url: string;
  /** Everything received: SQL and arguments, as JSON. */
  received(): string;
  /** The database itself, to look into. */
  readonly database: DatabaseSync;
  stop(): Promise<void>;
}

type Value =
  | { readonly type: 'null' }
  | { readonly type: 'integer' | 'text'; readonly value: string }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'blob'; readonly base64: string };

interface Statement {
  readonly sql?: string | null;
  readonly sql_id?: number | null;
  readonly args?: readonly Value[];
  readonly named_args?: readonly { readonly name: string; readonly value: Value }[];
}

type Condition =
  | { readonly type: 'ok' | 'error'; readonly step: number }
  | { readonly type: 'not'; readonly cond: Condition }
  | { readonly type: 'and' | 'or'; readonly conds: readonly Condition[] };

interface Step {
  readonly condition?: Condition | null;
  readonly stmt: Statement;
}

type PipelineRequest =
  | { readonly type: 'execute'; readonly stmt: Statement }
  | { readonly type: 'batch'; readonly batch: { readonly steps: readonly Step[] } }
  | { readonly type: 'sequence'; readonly sql?: string | null; readonly sql_id?: number | null }
  | { readonly type: 'store_sql'; readonly sql_id: number; readonly sql: string }
  | { readonly type: 'close_sql' | 'close' };

type Outcome =
  | { readonly result: object }
  | { readonly error: { readonly message: string; readonly code: string } };

/** Starts one with an empty database; `token` is the bearer it asks for. */
export async function startLibsqlEmulator(
  options: { readonly token?: string } = {},
): Promise<LibsqlEmulator> {
  const database = new DatabaseSync(':memory:');
  const seen: string[] = [];
  const server = createServer(async (message, response) => {
    const body = await readAll(message);
    seen.push(body);
    const isAllowed =
      options.token === undefined || message.headers.authorization === `Bearer ${options.token}`;
    // Anything but version 2 is not spoken: the client asks for version 3 first and takes no for an answer.
    const status = !isAllowed ? 401 : message.url === '/v2/pipeline' && message.method === 'POST' ? 200 : 404;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(status === 200 ? JSON.stringify(runPipeline(database, JSON.parse(body))) : '{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => seen.join('\n'),
    database,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      database.close();
    },
  };
}

function runPipeline(db: DatabaseSync, { requests }: { requests: readonly PipelineRequest[] }): object {
  const stored = new Map<number, string>();
  const results = requests.map((request) => {
    const outcome = runRequest(db, request, stored);
    if ('error' in outcome) return { type: 'error', error: outcome.error };
    return { type: 'ok', response: { type: request.type, ...outcome.result } };
  });
  return { baton: null, base_url: null, results };
}

function runRequest(db: DatabaseSync, request: PipelineRequest, stored: Map<number, string>): Outcome {
  if (request.type === 'store_sql') stored.set(request.sql_id, request.sql);
  if (request.type === 'execute') {
    const outcome = execute(db, request.stmt, stored);
    return 'error' in outcome ? outcome : { result: { result: outcome.result } };
  }
  if (request.type === 'batch') return { result: { result: runBatch(db, request.batch.steps, stored) } };
  if (request.type === 'sequence') {
    return attempt(() => {
      db.exec(sqlOf(request, stored));
      return {};
    });
  }
  return { result: {} };
}

function runBatch(db: DatabaseSync, steps: readonly Step[], stored: Map<number, string>): object {
  const outcomes: (Outcome | undefined)[] = [];
  for (const { condition, stmt } of steps) {
    outcomes.push(holds(condition, outcomes) ? execute(db, stmt, stored) : undefined);
  }
  return {
    step_results: outcomes.map((outcome) => (outcome && 'result' in outcome ? outcome.result : null)),
    step_errors: outcomes.map((outcome) => (outcome && 'error' in outcome ? outcome.error : null)),
  };
}

function holds(condition: Condition | null | undefined, outcomes: readonly (Outcome | undefined)[]): boolean {
  if (condition === null || condition === undefined) return true;
  if (condition.type === 'not') return !holds(condition.cond, outcomes);
  if (condition.type === 'and' || condition.type === 'or') {
    const held = condition.conds.map((each) => holds(each, outcomes));
    return condition.type === 'and' ? !held.includes(false) : held.includes(true);
  }
  const { type, step } = condition as Extract<Condition, { step: number }>;
  const outcome = outcomes[step];
  return outcome !== undefined && (type === 'ok' ? 'result' in outcome : 'error' in outcome);
}

function execute(db: DatabaseSync, stmt: Statement, stored: Map<number, string>): Outcome {
  return attempt(() => {
    const prepared = db.prepare(sqlOf(stmt, stored));
    prepared.setReadBigInts(true);
    prepared.setReturnArrays(true);
    const names = prepared.columns().map(({ name }) => ({ name, decltype: null }));
    const args = (stmt.args ?? []).map(toSqlite);
    const named = Object.fromEntries(
      (stmt.named_args ?? []).map(({ name, value }) => [name, toSqlite(value)]),
    );
    const rows = prepared.all(named, ...args) as unknown as SQLInputValue[][];
    const counted = db.prepare('SELECT changes() AS changes, last_insert_rowid() AS rowid').get();
    return {
      cols: names,
      rows: rows.map((row) => row.map(toHrana)),
      affected_row_count: Number(counted?.changes ?? 0),
      last_insert_rowid: String(counted?.rowid ?? 0),
    };
  });
}

function attempt(work: () => object): Outcome {
  try {
    return { result: work() };
  } catch (error) {
    const message = error instanceof Error ? error.message : 'failed';
    return {
      error: { message, code: message.includes('constraint') ? 'SQLITE_CONSTRAINT' : 'SQLITE_ERROR' },
    };
  }
}

function sqlOf(from: { sql?: string | null; sql_id?: number | null }, stored: Map<number, string>): string {
  return from.sql ?? stored.get(from.sql_id ?? -1) ?? '';
}

function toSqlite(value: Value): SQLInputValue {
  if (value.type === 'null') return null;
  if (value.type === 'integer') return BigInt(value.value);
  if (value.type === 'blob') return Buffer.from(value.base64, 'base64');
  return value.value;
}

function toHrana(value: SQLInputValue): Value {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) };
  if (typeof value === 'number') return { type: 'float', value };
  if (typeof value === 'string') return { type: 'text', value };
  const { buffer, byteOffset, byteLength } = value as Uint8Array;
  return {
    type: 'blob',
    base64: Buffer.from(buffer, byteOffset, byteLength).toString('base64').replace(/=+$/, ''),
  };
}

async function readAll(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
