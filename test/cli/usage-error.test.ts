import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sluice } from './sluice.ts'

const cases: [string, string, RegExp][] = [
  ['', 'prints the help', /^$/],
  ['rnu a.sql', 'suggests the command', /there is no command 'rnu': did you mean 'run'\?/],
  [
    '--foo',
    'asks for a command',
    /a command is missing: demo, run, explain, checkpoint or replay-dead-letters/,
  ],
  ['run', 'asks for the script', /the script FILE\.sql is missing/],
  ['run a.sql b.sql', 'refuses a second script', /'b\.sql' is one argument too many/],
  ['run a.sql --sett a=b', 'suggests the option', /there is no option --sett: did you mean '--set'\?/],
  ['run a.sql --set', 'asks for the value of an option', /the option --set needs a value/],
  ['run a.sql --set secret', 'refuses a value without a name', /--set takes name=value/],
  [
    'run a.sql --log-level loud',
    'names the accepted values',
    /'loud'; it takes debug, info, warn, error, silent/,
  ],
  [
    'demo --rate fast',
    'refuses what is no number',
    /--rate is 'fast'; it takes a whole number from 10 to 1000/,
  ],
  [
    'demo --seconds 1',
    'refuses what is out of range',
    /--seconds is '1'; it takes a whole number from 3 to 600/,
  ],
  [
    'checkpoint lss a',
    'suggests the action',
    /there is no command 'checkpoint lss': did you mean 'checkpoint ls'/,
  ],
  ['checkpoint fork a', 'asks for the second place', /NEW_LOCATION is missing/],
  ['demo --endpoint aws', 'refuses an unknown endpoint', /'aws'; it takes auto, local, double/],
]

for (const [args, does, expected] of cases) {
  test(`sluice ${args}: ${does}`, async () => {
    const { code, stdout, stderr } = await sluice(args.split(' ').filter(Boolean))
    if (args === '') {
      assert.equal(code, 0)
      assert.match(stdout, /sluice demo/)
      return
    }
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^error CLI_USAGE\n/)
    assert.match(stderr.replace(/\s+/g, ' '), expected)
    assert.match(stderr, /see 'sluice(?: run| demo| checkpoint \w+)? --help'/)
    assert.doesNotMatch(stderr, /\n\s+at /)
  })
}
