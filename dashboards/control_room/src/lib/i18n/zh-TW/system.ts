// The controller's own alarms: 控制器 is Shifu itself. The last word of such an alarm's id, `shifu#disk`, is its kind.
export const system = {
  'alarm.kind.system': '控制器',
  'alarm.kind.journal': '控制器無法寫入紀錄',
  'alarm.kind.log': '控制器無法寫入歷史資料',
  'alarm.kind.disk': '控制器磁碟空間即將用盡',
  'alarm.kind.influx': 'InfluxDB 不接受資料',
  'alarm.kind.damage': '控制器的資料檔曾損毀',
  'alarm.of-controller': '控制器的其他告警',
  'alarm.reason': '系統訊息',
};
