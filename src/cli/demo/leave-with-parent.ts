/**
 * Preloaded into the processes that the demo starts (`node --import`): they end when the demo's own process goes
 * away, however that happens, because the channel between the two closes.
 */
if (process.connected) {
  process.once('disconnect', () => process.exit(1))
  // Listening alone would keep a process alive that has nothing left to do.
  process.channel?.unref()
}
