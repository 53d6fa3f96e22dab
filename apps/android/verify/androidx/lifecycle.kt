// Stand-ins for what Robolectric asks of androidx.test, which only Google's
// Maven has: enough for an activity's life, nothing of the rest.
package androidx.test.runner.lifecycle

import android.app.Activity

enum class Stage {
    PRE_ON_CREATE,
    CREATED,
    STARTED,
    RESUMED,
    PAUSED,
    STOPPED,
    RESTARTED,
    DESTROYED,
}

enum class ApplicationStage { PRE_ON_CREATE, CREATED }

fun interface ActivityLifecycleCallback {
    fun onActivityLifecycleChanged(activity: Activity, stage: Stage)
}

interface ActivityLifecycleMonitor {
    fun addLifecycleCallback(callback: ActivityLifecycleCallback)

    fun removeLifecycleCallback(callback: ActivityLifecycleCallback)

    fun getLifecycleStageOf(activity: Activity): Stage

    fun getActivitiesInStage(stage: Stage): Collection<Activity>
}

interface ApplicationLifecycleMonitor

object ActivityLifecycleMonitorRegistry {
    private var monitor: ActivityLifecycleMonitor? = null

    @JvmStatic
    fun registerInstance(instance: ActivityLifecycleMonitor?) {
        monitor = instance
    }

    @JvmStatic
    fun getInstance(): ActivityLifecycleMonitor = monitor!!
}

object ApplicationLifecycleMonitorRegistry {
    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun registerInstance(instance: ApplicationLifecycleMonitor?) = Unit
}
