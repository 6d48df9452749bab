import type { ExclusionReason } from '../../protocol';

/** What a file is for the model: text it can read, or the reason why it is left out. */
export type Classified = { kind: 'text'; text: string } | { kind: 'excluded'; reason: ExclusionReason };

/** Larger files are left out before they are read. */
export const MAX_FILE_BYTES = 1024 * 1024;

const LOCK_FILES = new Set(
  (
    'package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock cargo.lock ' +
    'gemfile.lock poetry.lock pipfile.lock uv.lock pdm.lock pixi.lock composer.lock go.sum flake.lock ' +
    'packages.lock.json gradle.lockfile buildscript-gradle.lockfile podfile.lock cartfile.resolved ' +
    'package.resolved mix.lock rebar.lock pubspec.lock conan.lock module.bazel.lock .terraform.lock.hcl ' +
    'stack.yaml.lock cabal.project.freeze'
  ).split(' '),
);

const BINARY_EXTENSIONS = new Set(
  (
    'png jpg jpeg gif bmp ico icns webp avif tif tiff psd heic mp3 mp4 m4a wav ogg flac mov avi mkv webm ' +
    'zip gz tgz bz2 xz zst 7z rar tar jar war ear apk dmg iso deb rpm whl nupkg vsix crx ' +
    'exe dll so dylib a o lib pdb class pyc pyo wasm node bin db sqlite sqlite3 mdb ' +
    'ttf otf woff woff2 eot pdf doc docx xls xlsx ppt pptx odt gguf onnx safetensors pt pth npy npz parquet'
  ).split(' '),
);

/** Formats that tools squeeze into few long lines; prose may have long lines too and is not suspected. */
const MINIFIABLE_EXTENSIONS = new Set('js mjs cjs css json html htm svg xml'.split(' '));

const MINIFIED_NAME = /[.-]min\.(?:js|mjs|cjs|css)$/;
const GENERATED_NAME =
  /(?:\.pb\.(?:go|cc|h)|_pb2(?:_grpc)?\.pyi?|\.g\.dart|\.freezed\.dart|\.designer\.cs|\.g\.cs|\.(?:js|css|mjs|cjs)\.map)$/;

/** Written by tools in a comment near the top; the start of a comment keeps strings in code from counting. */
const GENERATED_MARK =
  /^\s*(?:\/\/|\/\*|\*|#|--|;|<!--|""")[^\n]*(?:@generated\b|<auto-?generated|code generated .*do not edit|auto-?(?:matically )?generated\b.*(?:do not|don't) (?:edit|modify)|this file (?:is|was) (?:auto-?(?:matically )?)?generated\b)/im;

const GENERATED_HEAD_CHARS = 1000;
const BINARY_SAMPLE_BYTES = 8192;
/** Share of control bytes above which even UTF-8 is no text for people. */
const MAX_CONTROL_SHARE = 0.1;
const MINIFIED_MEAN_LINE_CHARS = 300;
const MINIFIED_MIN_CHARS = 2000;
const LONGEST_LINE_CHARS = 20_000;

/** The reason to leave a file out that its name and size give, before it is read. */
export function classifyUnread(path: string, sizeBytes: number): ExclusionReason | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (sizeBytes === 0) return 'empty';
  if (LOCK_FILES.has(name)) return 'lockFile';
  if (BINARY_EXTENSIONS.has(extensionOf(name))) return 'binary';
  if (MINIFIED_NAME.test(name)) return 'minified';
  if (GENERATED_NAME.test(name)) return 'generated';
  if (sizeBytes > MAX_FILE_BYTES) return 'tooLarge';
  return undefined;
}

/**
 * Decodes a file or says why not. UTF-16 is read when it starts with a byte order mark, as Windows tools
 * write it; any other encoding than UTF-8 is left out as `notUtf8` rather than guessed.
 */
export function classifyBytes(path: string, bytes: Uint8Array): Classified {
  const byName = classifyUnread(path, bytes.length);
  if (byName) return { kind: 'excluded', reason: byName };
  const utf16 = utf16Label(bytes);
  if (!utf16 && looksBinary(bytes)) return { kind: 'excluded', reason: 'binary' };
  try {
    return classifyText(path, new TextDecoder(utf16 ?? 'utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof TypeError) return { kind: 'excluded', reason: 'notUtf8' };
    throw error;
  }
}

/** Judges text that is decoded already, such as that of an editor. Line ends become `\n`. */
export function classifyText(path: string, text: string): Classified {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const byName = classifyUnread(path, text.length);
  if (byName) return { kind: 'excluded', reason: byName };
  if (text.trim() === '') return { kind: 'excluded', reason: 'empty' };
  if (isMinified(extensionOf(name), text)) return { kind: 'excluded', reason: 'minified' };
  if (GENERATED_MARK.test(text.slice(0, GENERATED_HEAD_CHARS))) {
    return { kind: 'excluded', reason: 'generated' };
  }
  return { kind: 'text', text: text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text };
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? '' : name.slice(dot + 1);
}

function utf16Label(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}

function looksBinary(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return true;
  const sampled = Math.min(bytes.length, BINARY_SAMPLE_BYTES);
  let control = 0;
  for (let at = 0; at < sampled; at++) control += IS_CONTROL[bytes[at] as number] as number;
  return control > sampled * MAX_CONTROL_SHARE;
}

/** 1 for bytes that text does not have; tab, line feed, form feed, carriage return and escape occur in it. */
const IS_CONTROL = new Uint8Array(256).fill(1, 0, 32);
for (const byte of [9, 10, 12, 13, 27]) IS_CONTROL[byte] = 0;

function isMinified(extension: string, text: string): boolean {
  if (text.length < MINIFIED_MIN_CHARS) return false;
  let lines = 0;
  let longest = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    longest = Math.max(longest, end - start);
    lines++;
    start = end + 1;
  }
  if (longest > LONGEST_LINE_CHARS) return true;
  return MINIFIABLE_EXTENSIONS.has(extension) && text.length / lines > MINIFIED_MEAN_LINE_CHARS;
}
