export const DEMO_OPTIONS = {}
export const demoCommand = { command: 'demo', describe: 'x', handler: () => {} }
