import assert from 'node:assert/strict';
import { parseCommand } from '../../../../src/cli/arguments';
import { UsageError } from '../../../../src/cli/exit-codes';

const parse = (...argv: string[]) => parseCommand(argv, '/here');

suite('parseCommand', () => {
  test('asks about the current folder with the defaults of the settings', () => {
    const command = parse('ask', 'What', 'is', 'this?');
    assert.ok(command.kind === 'ask');
    assert.equal(command.repo, '/here');
    assert.equal(command.question, 'What is this?');
    assert.equal(command.options.device, 'auto');
    assert.equal(command.options.model, undefined);
    assert.equal(command.options.contextTokens, undefined);
    assert.ok(command.options.maxAnswerTokens > 0);
  });

  test('takes every flag, before or after the question', () => {
    const command = parse(
      ...['ask', '--repo', '../there', 'why?', '--model', 'm-1', '--attention', 'dense', '--device=cpu'],
      ...[
        '--gpu',
        '1',
        '--precision',
        'fp8',
        '--context',
        '2048',
        '--max-tokens',
        '64',
        '--json',
        '--verbose',
      ],
    );
    assert.ok(command.kind === 'ask');
    assert.equal(command.repo, '/there');
    assert.equal(command.json, true);
    assert.equal(command.verbose, true);
    assert.equal(command.gpu, 1);
    assert.equal(command.prefillPrecision, 'fp8');
    const { model, attention, device, contextTokens, maxAnswerTokens } = command.options;
    assert.deepEqual(
      { model, attention, device, contextTokens, maxAnswerTokens },
      { model: 'm-1', attention: 'dense', device: 'cpu', contextTokens: 2048, maxAnswerTokens: 64 },
    );
  });

  test('a model that looks like a file becomes an absolute path', () => {
    const modelOf = (value: string) => {
      const command = parse('ask', '--model', value, 'why?');
      return command.kind === 'ask' ? command.options.model : undefined;
    };
    assert.equal(modelOf('mine.gguf'), '/here/mine.gguf');
    assert.equal(modelOf('./a/b'), '/here/a/b');
    assert.equal(modelOf('qwen2.5-coder'), 'qwen2.5-coder');
  });

  test('takes what is attached, as often as it is given', () => {
    const command = parse('ask', '--attach', 'src/a.ts', '--attach', '/x/lib', 'why?');
    assert.ok(command.kind === 'ask');
    assert.deepEqual(command.attach, [
      { written: 'src/a.ts', absolute: '/here/src/a.ts' },
      { written: '/x/lib', absolute: '/x/lib' },
    ]);
  });

  test('knows the cache command', () => {
    assert.deepEqual(parse('cache', 'purge'), { kind: 'cache', action: 'purge', verbose: false });
  });

  test('knows the models commands', () => {
    assert.deepEqual(parse('models'), { kind: 'models', action: 'list', verbose: false });
    assert.deepEqual(parse('models', 'download', 'x'), {
      kind: 'models',
      action: 'download',
      id: 'x',
      verbose: false,
    });
    assert.deepEqual(parse('models', 'import', 'a.gguf'), {
      kind: 'models',
      action: 'import',
      path: '/here/a.gguf',
      verbose: false,
    });
  });

  test('help and version win over everything', () => {
    assert.deepEqual(parse('ask', '--help'), { kind: 'help' });
    assert.deepEqual(parse('--version'), { kind: 'version' });
    assert.deepEqual(parse(), { kind: 'help' });
  });

  const wrong: [string, string[], RegExp][] = [
    ['an unknown command', ['tell', 'me'], /no command "tell"/],
    ['an unknown flag', ['ask', '--fast', 'x'], /--fast/],
    ['no question', ['ask', '--json'], /no question/],
    [
      'an unknown device',
      ['ask', '--device', 'tpu', 'x'],
      /--device must be one of auto, cpu, cuda, not "tpu"/,
    ],
    ['an unknown attention', ['ask', '--attention', 'flash', 'x'], /--attention must be one of/],
    ['a precision that there is not', ['ask', '--precision', 'int8', 'x'], /bf16, fp8/],
    ['a GPU that is no number', ['ask', '--gpu', 'first', 'x'], /--gpu must be the number of a GPU/],
    ['a context that is no number', ['ask', '--context', '4k', 'x'], /--context must be a whole number/],
    ['an answer of nothing', ['ask', '--max-tokens', '0', 'x'], /--max-tokens/],
    ['a download of nothing', ['models', 'download'], /Which model/],
    ['an import of nothing', ['models', 'import'], /Which file/],
    ['one argument too many', ['models', 'download', 'a', 'b'], /"b" is one argument too many/],
    ['nothing about the cache', ['cache'], /longview cache purge/],
    ['another cache action', ['cache', 'burn'], /longview cache purge/],
    ['too much about the cache', ['cache', 'purge', 'b'], /"b" is one argument too many/],
    ['an unknown models action', ['models', 'burn'], /"models burn" does not exist/],
  ];
  for (const [what, argv, message] of wrong)
    test(`refuses ${what}`, () => {
      assert.throws(
        () => parse(...argv),
        (error) => error instanceof UsageError && message.test(error.message),
      );
    });
});
