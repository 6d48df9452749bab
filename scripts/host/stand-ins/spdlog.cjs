// Stands in for @vscode/spdlog, whose addon would need a compiler: VS Code's log files, without rotation.
const fs = require('node:fs');
const path = require('node:path');

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];
const INFO = 2;

class Logger {
  constructor(_name, file) {
    this.file = file;
    this.level = INFO;
    this.raw = false;
    fs.mkdirSync(path.dirname(file), { recursive: true });
  }

  write(level, text) {
    if (level < this.level) return;
    const line = this.raw ? text : `${new Date().toISOString()} [${LEVELS[level]}] ${text}\n`;
    try {
      fs.appendFileSync(this.file, line);
    } catch (error) {
      // The folder of a run may be removed while VS Code still logs its own shutdown.
      if (error.code !== 'ENOENT') throw error;
    }
  }

  getLevel() {
    return this.level;
  }

  setLevel(level) {
    this.level = level;
  }

  clearFormatters() {
    this.raw = true;
  }

  setPattern() {}
  flush() {}
  drop() {}
}

const METHODS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, critical: 5 };
for (const [name, level] of Object.entries(METHODS)) {
  Logger.prototype[name] = function (text) {
    this.write(level, text);
  };
}

const create = async (name, file) => new Logger(name, file);
const ignore = () => {};
// One statement each: VS Code imports this as an ES module, and Node finds the names by reading the text.
exports.version = 0;
exports.Logger = Logger;
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
exports.setLevel = ignore;
exports.setFlushOn = ignore;
exports.shutdown = ignore;
