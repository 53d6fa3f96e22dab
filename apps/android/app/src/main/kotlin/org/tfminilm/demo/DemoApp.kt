package org.tfminilm.demo

import android.app.Application

/** Keeps the models while activities come and go. */
class DemoApp : Application() {
    val models: ModelRepository by lazy { ModelRepository(this) }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        if (level >= TRIM_MEMORY_BACKGROUND) models.trim()
    }
}
