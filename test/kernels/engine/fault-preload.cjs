// Loaded into an engine host before anything else (NODE_OPTIONS=--require): a fault on the GPU before the next prefill
// while the file LONGVIEW_FAULT_WHILE is there; the file is gone then. LONGVIEW_FAULT_ADDON: longview-fault.node.
'use strict';
const fs = require('node:fs');

const dlopen = process.dlopen.bind(process);
process.dlopen = (module, file, ...rest) => {
  dlopen(module, file, ...rest);
  if (!String(file).endsWith('longview-cuda.node')) return;
  const faults = { exports: {} };
  dlopen(faults, process.env.LONGVIEW_FAULT_ADDON);
  module.exports.Engine = class extends module.exports.Engine {
    prefill(...call) {
      if (fs.existsSync(process.env.LONGVIEW_FAULT_WHILE)) {
        fs.rmSync(process.env.LONGVIEW_FAULT_WHILE);
        process.stderr.write(`injected: ${faults.exports.fault(0)}\n`);
      }
      return super.prefill(...call);
    }
  };
};
