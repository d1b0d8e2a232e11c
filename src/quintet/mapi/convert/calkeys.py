"""The properties of appointments, meetings and tasks (MS-OXOCAL 2.2, MS-OXOTASK 2.2), by short names."""

from __future__ import annotations

from typing import Final

from quintet.mapi.named import key
from quintet.mapi.tags import tag

START: Final = key("PidLidAppointmentStartWhole")
END: Final = key("PidLidAppointmentEndWhole")
DURATION: Final = key("PidLidAppointmentDuration")  # minutes
WHOLE_DAY: Final = key("PidLidAppointmentSubType")
LOCATION: Final = key("PidLidLocation")
WHERE: Final = key("PidLidWhere")
BUSY: Final = key("PidLidBusyStatus")
INTENDED_BUSY: Final = key("PidLidIntendedBusyStatus")
SEQUENCE: Final = key("PidLidAppointmentSequence")
STATE: Final = key("PidLidAppointmentStateFlags")
RESPONSE: Final = key("PidLidResponseStatus")
NO_COUNTER: Final = key("PidLidAppointmentNotAllowPropose")
COUNTER: Final = key("PidLidAppointmentCounterProposal")
PROPOSED_START: Final = key("PidLidAppointmentProposedStartWhole")
PROPOSED_END: Final = key("PidLidAppointmentProposedEndWhole")
PROPOSED_DURATION: Final = key("PidLidAppointmentProposedDuration")
REPLY_TIME: Final = key("PidLidAppointmentReplyTime")
RECUR: Final = key("PidLidAppointmentRecur")
RECURRING: Final = key("PidLidRecurring")
RECURRENCE_TYPE: Final = key("PidLidRecurrenceType")
CLIP_START: Final = key("PidLidClipStart")
CLIP_END: Final = key("PidLidClipEnd")
EXCEPTION_REPLACES: Final = key("PidLidExceptionReplaceTime")
ZONE_STRUCT: Final = key("PidLidTimeZoneStruct")
ZONE_NAME: Final = key("PidLidTimeZoneDescription")
ZONE_START: Final = key("PidLidAppointmentTimeZoneDefinitionStartDisplay")
ZONE_END: Final = key("PidLidAppointmentTimeZoneDefinitionEndDisplay")
ZONE_RECUR: Final = key("PidLidAppointmentTimeZoneDefinitionRecur")

GLOBAL_ID: Final = key("PidLidGlobalObjectId")
CLEAN_ID: Final = key("PidLidCleanGlobalObjectId")
IS_RECURRING: Final = key("PidLidIsRecurring")
IS_EXCEPTION: Final = key("PidLidIsException")
MEETING_TYPE: Final = key("PidLidMeetingType")
OWNER_CHANGE: Final = key("PidLidOwnerCriticalChange")
ATTENDEE_CHANGE: Final = key("PidLidAttendeeCriticalChange")

COMMON_START: Final = key("PidLidCommonStart")
COMMON_END: Final = key("PidLidCommonEnd")
REMINDER_SET: Final = key("PidLidReminderSet")
REMINDER_DELTA: Final = key("PidLidReminderDelta")  # minutes before
REMINDER_TIME: Final = key("PidLidReminderTime")
REMINDER_SIGNAL: Final = key("PidLidReminderSignalTime")
PRIVATE: Final = key("PidLidPrivate")
CONTACTS: Final = key("PidLidContacts")

TASK_STATUS: Final = key("PidLidTaskStatus")
TASK_PERCENT: Final = key("PidLidPercentComplete")  # 0.0 to 1.0
TASK_START: Final = key("PidLidTaskStartDate")
TASK_DUE: Final = key("PidLidTaskDueDate")
TASK_COMPLETED: Final = key("PidLidTaskDateCompleted")
TASK_COMPLETE: Final = key("PidLidTaskComplete")
TASK_RECURRENCE: Final = key("PidLidTaskRecurrence")
TASK_RECURRING: Final = key("PidLidTaskFRecurring")
TASK_OWNER: Final = key("PidLidTaskOwner")
TASK_ESTIMATE: Final = key("PidLidTaskEstimatedEffort")  # minutes
TASK_ACTUAL: Final = key("PidLidTaskActualEffort")
TASK_GLOBAL_ID: Final = key("PidLidTaskGlobalId")

START_DATE: Final = tag("PidTagStartDate")
END_DATE: Final = tag("PidTagEndDate")
OWNER_ID: Final = tag("PidTagOwnerAppointmentId")
RESPONSE_REQUESTED: Final = tag("PidTagResponseRequested")
REPLY_REQUESTED: Final = tag("PidTagReplyRequested")
ICON: Final = tag("PidTagIconIndex")
TRACK_STATUS: Final = tag("PidTagRecipientTrackStatus")
RECIPIENT_FLAGS: Final = tag("PidTagRecipientFlags")
ATTACHMENT_FLAGS: Final = tag("PidTagAttachmentFlags")
EXCEPTION_START: Final = tag("PidTagExceptionStartTime")
EXCEPTION_END: Final = tag("PidTagExceptionEndTime")
EXCEPTION_CLASS: Final = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"

APPOINTMENT: Final = "IPM.Appointment"
REQUEST: Final = "IPM.Schedule.Meeting.Request"
CANCELLATION: Final = "IPM.Schedule.Meeting.Canceled"
ACCEPTANCE: Final = "IPM.Schedule.Meeting.Resp.Pos"
DECLINE: Final = "IPM.Schedule.Meeting.Resp.Neg"
TENTATIVE: Final = "IPM.Schedule.Meeting.Resp.Tent"
TASK: Final = "IPM.Task"
