export const lazy = 1; export { default as os } from 'os';
