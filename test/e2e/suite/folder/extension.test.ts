import assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import { SETTINGS } from '../../../../src/config';

const ID = 'longview.longview';
/** Compiled to out/test/e2e/suite/folder. */
const CHECKOUT = path.resolve(__dirname, '../../../../..');

interface Manifest {
  contributes: {
    commands: { command: string }[];
    configuration: { properties: Record<string, { default: unknown }> }[];
  };
}

suite('the extension in a window with a folder', () => {
  const extension = vscode.extensions.getExtension<unknown>(ID)!;

  test('activates, from the place that is under test', async () => {
    await extension.activate();
    assert.ok(extension.isActive);
    assert.equal(extension.extensionPath === CHECKOUT, process.env['TEST_EXTENSION'] === 'checkout');
  });

  test('registers every command that it contributes', async () => {
    await extension.activate();
    const registered = new Set(await vscode.commands.getCommands(true));
    const { commands } = (extension.packageJSON as Manifest).contributes;
    assert.ok(commands.length > 0);
    assert.deepEqual(
      commands.map(({ command }) => command).filter((command) => !registered.has(command)),
      [],
    );
  });

  test('declares the settings that it reads, with the same defaults', () => {
    const { configuration } = (extension.packageJSON as Manifest).contributes;
    const declared = Object.fromEntries(
      configuration
        .flatMap(({ properties }) => Object.entries(properties))
        .map(([key, setting]) => [key.replace(/^longview\./, ''), setting.default]),
    );
    const read = Object.fromEntries(
      Object.entries(SETTINGS).map(([key, { fallback }]) => [key, fallback as unknown]),
    );
    assert.deepEqual(declared, read);
  });
});
