// Mocha's spec report, and the run's numbers in the file that TEST_STATS names. The runner trusts only that
// file: a process that dies half way leaves none, whatever its exit code says.
const fs = require('node:fs');
const Mocha = require('mocha');

const { EVENT_RUN_END } = Mocha.Runner.constants;

class StatsReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(EVENT_RUN_END, () => {
      const { tests, passes, failures, pending } = runner.stats;
      fs.writeFileSync(process.env.TEST_STATS, JSON.stringify({ tests, passes, failures, pending }));
    });
  }
}

module.exports = StatsReporter;
