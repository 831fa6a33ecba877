import eslint from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const erasableOnly = [
  { selector: 'TSEnumDeclaration', message: 'No enums: write an `as const` object and a union type.' },
  { selector: 'TSModuleDeclaration[declare!=true]', message: 'No namespaces: a file is a module.' },
  { selector: 'TSParameterProperty', message: 'No parameter properties: declare the field and assign it.' },
];

const inSource = [
  ...erasableOnly,
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: a thing has one name everywhere.' },
  {
    // A default import beside type imports also looks type-only to dependency-cruiser, which would let node:net through.
    selector: 'ImportDeclaration[source.value=/^node:/] > ImportDefaultSpecifier',
    message: 'Import the names that are used, or `* as`.',
  },
  {
    selector: ':matches(Program, ExportNamedDeclaration) > VariableDeclaration[kind="let"]',
    message: 'No mutable module state: put it into an object that somebody owns.',
  },
];

// The clock, timers and random bytes come from src/runtime.ts alone, so that a simulation can replace them.
const fromRuntime = 'Take it from src/runtime.ts.';
const clockSyntax = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: `Reads the clock. ${fromRuntime}` },
  { selector: 'CallExpression[callee.name="Date"]', message: `Reads the clock. ${fromRuntime}` },
];
const clockProperties = [
  ['Date', 'now'],
  ['AbortSignal', 'timeout'],
  ['Math', 'random'],
  ['process', 'hrtime'],
].map(([object, property]) => ({ object, property, message: fromRuntime }));
const clockGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'performance',
  'crypto',
].map((name) => ({ name, message: fromRuntime }));

const scriptGlobals = ['AbortController', 'Buffer', 'URL', 'console', 'performance', 'process', 'setImmediate'];

// These return a promise that node:test itself looks after.
const nodeTest = { from: 'package', name: ['describe', 'it', 'suite', 'test'], package: 'node:test' };

export default defineConfig(
  { ignores: ['dist/', 'coverage/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    rules: {
      eqeqeq: 'error',
      'no-nested-ternary': 'error',
      'no-restricted-syntax': ['error', ...erasableOnly],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions', 'methods'] }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [nodeTest] }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['src/**'],
    rules: {
      'no-restricted-globals': ['error', { globals: clockGlobals, checkGlobalObject: true }],
      'no-restricted-imports': [
        'error',
        { name: 'node:crypto', allowImportNames: ['createHash'], message: fromRuntime },
      ],
      'no-restricted-properties': ['error', ...clockProperties],
      'no-restricted-syntax': ['error', ...inSource, ...clockSyntax],
      'no-console': 'error',
      'max-depth': ['error', 3],
      'max-lines': ['error', { max: 350, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60 }],
      'max-params': ['error', 4],
    },
  },
  {
    files: ['src/runtime.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...inSource],
    },
  },
  {
    files: ['src/index.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Program > :not(ExportNamedDeclaration[source], ExportAllDeclaration)',
          message: 'src/index.ts is re-exports only.',
        },
      ],
    },
  },
  { files: ['src/cli/**'], rules: { 'no-console': 'off' } },
  {
    // Plain scripts: tsc checks their types, the rules that need types would only ask for annotations.
    files: ['**/*.{js,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: Object.fromEntries(scriptGlobals.map((name) => [name, 'readonly'])) },
  },
  {
    // Projects of users; the checks compile them.
    files: ['test/reach/fixtures/**/*.{ts,cts}'],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    files: ['**/*.{cjs,cts}'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);
