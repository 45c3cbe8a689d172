// Owns how tools are told to a model whose template knows none, and how a model says it wants one: the
// `<tool_call>` form that Hermes began and Qwen and others learned.
import { NearfieldError } from '../../errors.ts';
import type { ChatRequest, ToolDefinition } from '../../types.ts';

/** What a call begins with; from here on the grammar decides. */
export const CALL_START = '<tool_call>';
export const CALL_END = '</tool_call>';

export function toolsText(tools: readonly ToolDefinition[], several: boolean): string {
  const list = tools.map(({ function: { name, description, parameters } }) =>
    JSON.stringify({ type: 'function', function: { name, description, parameters } }),
  );
  return [
    'You can call these functions, described in JSON:',
    ...list,
    'To call one, reply with nothing but:',
    `${CALL_START}`,
    '{"name": "<function>", "arguments": {…}}',
    `${CALL_END}`,
    ...(several ? ['To call several, write one such block after another.'] : []),
  ].join('\n');
}

export function callText(name: string, argumentsJson: string): string {
  return `${CALL_START}\n{"name": ${JSON.stringify(name)}, "arguments": ${argumentsJson}}\n${CALL_END}`;
}

export function responseText(content: string): string {
  return `<tool_response>\n${content}\n</tool_response>`;
}

export interface ToolPlan {
  /** Functions the answer may call. */
  readonly tools: readonly ToolDefinition[];
  /** `free`: text, until a call begins; `must`: calls and nothing else. */
  readonly mode: 'free' | 'must';
  /** One answer may hold more than one call. */
  readonly several: boolean;
}

/** @throws invalid-request when the choice names no tool of the request */
export function planTools(request: ChatRequest): ToolPlan | undefined {
  const { tools = [], tool_choice: choice = 'auto' } = request;
  if (choice === 'none') return undefined;
  const several = request.parallel_tool_calls ?? true;
  if (typeof choice === 'string') {
    if (tools.length > 0) return { tools, mode: choice === 'required' ? 'must' : 'free', several };
    if (choice === 'auto') return undefined;
    throw new NearfieldError('invalid-request', 'tool_choice is required, but tools is empty.', {
      param: 'tool_choice',
    });
  }
  const named = tools.filter((tool) => tool.function.name === choice.function.name);
  if (named.length > 0) return { tools: named, mode: 'must', several: false };
  throw new NearfieldError('invalid-request', 'tool_choice names a function that tools does not hold.', {
    param: 'tool_choice',
  });
}
