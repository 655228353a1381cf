/**
 * Every fixed text of the page in both languages; the alarm texts come with the alarms.
 * Reasons and figures arrive in English, so English names only those that do not read well as they are.
 */

export const TEXTS = {
  en: {
    title: "Potline console",
    cells: "Cells",
    alarms: "Alarms",
    noAlarms: "No alarm is active.",
    keyEnergy: "AC energy, kWh/t; marks: benchmark {benchmark}, baseline {baseline}",
    notAssessed: "not assessed",
    cellCount: "{n}, {unassessed} not assessed",
    cellCountAll: "{n}",
    alarmCount: "{unacked} of {n} unacknowledged",
    alarmAside: "{n} set aside",
    more: "{n} more: show all",
    less: "show fewer",
    simulated: "Simulated plant, {speed}× speed",
    stale: "Stale: no data for {age}. The figures below are old.",
    noData: "No data yet: waiting for the first readings.",
    lost: "No connection to the gateway for {age}; trying again. The figures below are old.",
    brokerDown: "The gateway has no connection to the MQTT broker ({state}).",
    cell: "Cell {cell}",
    line: "Line {line}",
    anode: "anode {n}",
    sensor: "sensor {n}",
    sensors: "sensors {n}",
    listed: ", ",
    benchmark: "benchmark",
    baseline: "baseline",
    measured: "measured",
    expected: "expected by the twin",
    estimate: "estimate",
    band: "±1 sd",
    chartVoltage: "Cell voltage",
    chartAnodes: "Anode currents",
    chartShell: "Shell temp.",
    chartBath: "Bath temperature, estimated",
    chartEnergy: "AC energy intensity",
    noTrend: "no values in the last 24 h",
    figureVoltage: "Voltage",
    figureResidual: "Residual",
    figureCurrent: "Current",
    figureBath: "Bath",
    figureSuperheat: "Superheat",
    figureLedge: "Ledge",
    figureDc: "DC",
    figureAc: "AC",
    figureBenchmark: "To {level}",
    figureLevel: "Level",
    figureCoverage: "Coverage",
    level1: "1",
    level2: "2",
    level3: "3",
    level4: "below",
    figureStatus: "Health of data and twin",
    causes: "Likely causes",
    evidence: "Evidence",
    missing: "no value",
    changes: "Anode changes",
    knownAfter: "known after {age}",
    halfLoad: "half load {h} h, expected {low} to {high}",
    notLogged: "not logged",
    verdict: {
      open: "not judged yet",
      on_time: "on time",
      late: "picks up slowly",
      set_high: "set too high",
      set_low: "set too low",
      slipped: "slipped",
      overloaded: "overloaded",
      cracked: "cracked",
      poor_contact: "poor contact",
      burnt_off: "burnt off",
      spike: "spike",
      unseen: "not seen",
    },
    clock: "plant time",
    side: { duct: "duct end", tap: "tap end", up: "upstream side", down: "downstream side" },
    priority: { 1: "critical", 2: "high", 3: "medium", 4: "low" },
    state: {
      UNACK: "unacknowledged",
      ACKED: "acknowledged",
      RTNUN: "back to normal, unacknowledged",
      SHLVD: "shelved",
      DSUPR: "suppressed by design",
      OOSRV: "out of service",
    },
    status: {
      good: "good",
      maintenance: "M: maintenance required",
      out_of_specification: "S: out of specification",
      function_check: "C: function check",
      failure: "F: failure",
    },
    reason: { no_data: "no data yet" },
    figure: {
      rate_C_h: "rise per hour",
      ledge_bath_mm: "ledge",
      signal_code: "signal",
    },
    gateway: {
      broker: "broker",
      database: "database",
      lag_s: "lag",
      messages: "messages",
      frames: "frames",
      late: "late", late_cells: "late cells", disk: "disk",
      duplicates: "duplicates",
      dead_letters: "dead letters",
      points_accepted: "points accepted",
      points_written: "written",
      points_quarantined: "quarantined",
      points_waiting: "waiting",
    },
    link: {
      stopped: "stopped",
      connecting: "connecting",
      connected: "connected",
      lost: "lost",
      refused: "refused",
      ok: "ok",
      local: "local only",
    },
  },
  zh: {
    title: "电解系列监控",
    cells: "电解槽",
    alarms: "报警",
    noAlarms: "当前无报警。",
    keyEnergy: "交流电耗 kWh/t，刻度：标杆{benchmark}，基准{baseline}",
    notAssessed: "未评估",
    cellCount: "{n}台，其中{unassessed}台未评估",
    cellCountAll: "{n}台",
    alarmCount: "{n}条，未确认{unacked}条",
    alarmAside: "搁置或抑制{n}条",
    more: "还有{n}条，显示全部",
    less: "收起",
    simulated: "模拟系列，{speed}倍速",
    stale: "数据已过时：{age}没有新数据，下列数值为旧值。",
    noData: "尚无数据：正在等待首批读数。",
    lost: "与网关的连接已中断{age}，正在重连；下列数值为旧值。",
    brokerDown: "网关未连接到MQTT服务器（{state}）。",
    cell: "{cell}槽",
    line: "{line}系列",
    anode: "{n}号阳极",
    sensor: "{n}号测点",
    sensors: "{n}号测点",
    listed: "、",
    benchmark: "标杆",
    baseline: "基准",
    measured: "实测",
    expected: "孪生模型预期",
    estimate: "估计值",
    band: "±1倍标准差",
    chartVoltage: "槽电压",
    chartAnodes: "阳极电流",
    chartShell: "槽壳温度",
    chartBath: "电解质温度（估计）",
    chartEnergy: "交流电耗",
    noTrend: "近24小时无数值",
    figureVoltage: "槽电压",
    figureResidual: "电压残差",
    figureCurrent: "系列电流",
    figureBath: "电解质",
    figureSuperheat: "过热度",
    figureLedge: "炉帮厚度",
    figureDc: "直流电耗",
    figureAc: "交流电耗",
    figureBenchmark: "较标杆{level}",
    figureLevel: "等级",
    figureCoverage: "覆盖率",
    level1: "1级",
    level2: "2级",
    level3: "3级",
    level4: "基准以下",
    figureStatus: "数据与模型状态",
    causes: "可能原因",
    evidence: "依据",
    missing: "无数值",
    changes: "换极记录",
    knownAfter: "{age}后判定",
    halfLoad: "半载 {h} h，预期 {low}～{high}",
    notLogged: "未登记",
    verdict: {
      open: "尚未判定",
      on_time: "正常导电",
      late: "电流上升过慢",
      set_high: "安装过高",
      set_low: "安装过低",
      slipped: "滑极",
      overloaded: "过载",
      cracked: "开裂",
      poor_contact: "接触不良",
      burnt_off: "脱极",
      spike: "长包",
      unseen: "未观测到",
    },
    clock: "厂区时间",
    side: { duct: "烟道端", tap: "出铝端", up: "上游侧", down: "下游侧" },
    priority: { 1: "紧急", 2: "高", 3: "中", 4: "低" },
    state: {
      UNACK: "未确认",
      ACKED: "已确认",
      RTNUN: "已恢复，未确认",
      SHLVD: "已搁置",
      DSUPR: "设计抑制",
      OOSRV: "退出服务",
    },
    status: {
      good: "正常",
      maintenance: "M：需要维护",
      out_of_specification: "S：超出规格",
      function_check: "C：功能检查",
      failure: "F：故障",
    },
    reason: {
      no_data: "尚无数据",
      "no data": "无数据",
      "no line_current_A received": "未收到系列电流",
      "no cell_voltage_V received": "未收到槽电压",
      "no line_current_A was received": "未收到系列电流",
      "no cell_voltage_V was received": "未收到槽电压",
      "no line_current_A and no cell_voltage_V was received": "未收到系列电流和槽电压",
      "line_current_A outside the range of the technology (50 to 130 % of rated)":
        "系列电流超出该槽型范围（额定值的50～130 %）",
      "starting up: less than 10 minutes of current and voltage": "启动中：电流和电压数据不足10分钟",
      "no line_current_A for 15 minutes": "15分钟无系列电流数据",
      "no cell_voltage_V for 15 minutes": "15分钟无槽电压数据",
      "cell reported as not in normal operation": "该槽处于非正常生产状态",
      "technology unknown: no rated_current_A in plant.toml": "槽型未知：plant.toml中没有rated_current_A",
      "the estimate was no longer a possible state of a cell and was started anew": "估计值已不可能，已重新开始",
      "plant.toml gives neither rated_current_A nor a technology that potline ships: no twin":
        "plant.toml未给出rated_current_A或内置槽型：无孪生模型",
    },
    figure: {
      measured_frac: "实测分担比",
      expected_frac: "预期分担比",
      expected_sd_frac: "预期标准差",
      deficit_A: "电流缺口",
      mean_anode_current_A: "阳极平均电流",
      age_h: "换极后",
      observed_h: "已观察",
      superheat_C: "过热度",
      shell_rise_C: "槽壳温升",
      other_sides_rise_C: "其他侧温升",
      relative_rise_C: "相对温升",
      rate_C_h: "每小时温升",
      normal_spread_C: "正常波动",
      sensors_on_side: "本侧测点数",
      hottest_sensor: "最热测点",
      hottest_shell_temp_C: "最高槽壳温度",
      ledge_bath_mm: "炉帮厚度",
      signal_code: "信号",
      sensor_number: "测点",
      refused_s: "拒收时长",
      stuck_s: "不变时长",
      stuck_value: "停滞值",
      equal_readings: "相同读数",
      stuck_sensors: "停滞测点数",
      stopped_s: "中断时长",
      stopped_sensors: "中断测点数",
      last_value: "最后值",
      typical_interval_s: "通常间隔",
      sum_of_anodes_A: "阳极电流之和",
      line_current_A: "系列电流",
      mismatch_frac: "偏差比",
      silent_s: "静默时长",
      allowed_s: "允许时长",
      ever_heard: "曾有数据",
      other_cells_heard_frac: "其他槽有数据比例",
      other_signals_silent_s: "其他信号静默",
    },
    gateway: {
      broker: "MQTT服务器",
      database: "数据库",
      lag_s: "滞后",
      messages: "消息",
      frames: "帧",
      late: "迟到", late_cells: "迟到的槽", disk: "磁盘",
      duplicates: "重复",
      dead_letters: "死信",
      points_accepted: "接收点",
      points_written: "已写入",
      points_quarantined: "已隔离",
      points_waiting: "待写",
    },
    link: {
      stopped: "已停止",
      connecting: "连接中",
      connected: "已连接",
      lost: "已断开",
      refused: "被拒绝",
      ok: "正常",
      local: "仅本地",
    },
  },
};

const REMEMBERED = "potline.language";

/** A browser that forbids storage still shows the page; it only forgets the language. */
function storage() {
  try {
    return window.localStorage;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

function firstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked in TEXTS) return asked;
  const remembered = storage()?.getItem(REMEMBERED);
  if (remembered in TEXTS) return remembered;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let language = firstLanguage();

/** The language of the page, "en" or "zh". */
export function currentLanguage() {
  return language;
}

/** Change the language and remember it. */
export function setLanguage(code) {
  language = code;
  storage()?.setItem(REMEMBERED, code);
}

/** A text by key, with its {names} filled in. */
export function text(key, values = {}) {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A text of a group; a code that the group does not know is shown as it is. */
export function named(group, code) {
  return isNamed(group, code) ? TEXTS[language][group][code] : String(code);
}

/** True when a group has a text for a code. */
export function isNamed(group, code) {
  return Object.hasOwn(TEXTS[language][group], code);
}

/** Fill every element that names its text in the markup. */
export function fillTexts() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
}
