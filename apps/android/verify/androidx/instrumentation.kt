package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

object InstrumentationRegistry {
    private var instrumentation: Instrumentation? = null

    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun registerInstance(instance: Instrumentation?, arguments: Bundle?) {
        instrumentation = instance
    }

    @JvmStatic
    fun getInstrumentation(): Instrumentation = instrumentation!!
}
