package org.tfminilm.demo

import android.app.Application

/** Keeps the models while activities come and go. */
class DemoApp : Application() {
    val models: Models by lazy { Models(this) }
}
