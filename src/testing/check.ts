/** One test of a contract: `for (const { name, run } of sinkChecks(…)) test(name, run)`. It rejects when it fails. */
export interface Check {
  readonly name: string
  run(): Promise<void>
}
