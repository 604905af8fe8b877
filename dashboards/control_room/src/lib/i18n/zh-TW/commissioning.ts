export const commissioning = {} as const;
