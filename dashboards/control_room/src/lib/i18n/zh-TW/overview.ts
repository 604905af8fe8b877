export const overview = {
  'overview.systems': '其他系統',
  'overview.system.well': '正常',
  'overview.system.unknown': '狀態不明',
  'overview.system.starting': '啟動中',
  'overview.system.lost': '{count} 個裝置逾時',
  'overview.system.more': '另 {count} 件',
} as const;
