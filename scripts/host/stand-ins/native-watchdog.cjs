// Stands in for @vscode/native-watchdog, whose addon would need a compiler: it ends an orphaned extension
// host. The runner ends the whole process group itself.
exports.start = () => {};
